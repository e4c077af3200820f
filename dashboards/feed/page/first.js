// Runs before the first paint: the table is for those without scripts, the app for the others.
document.documentElement.classList.add("js");
