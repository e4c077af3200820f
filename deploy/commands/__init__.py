"""What can a person ask of ./citysense? One module for each group of commands."""
