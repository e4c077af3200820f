"""How is a DATEX II document read? XML in, elements out by local name: publishers choose prefixes as they like."""

from __future__ import annotations

from lxml import etree

from connectors.decoding import SourceContext, Unreadable
from connectors.words import ident

Element = etree._Element


def parsed(payload: bytes) -> Element:
    """The root element. Raises Unreadable: dtd_refused, not_xml.

    A document type is refused before the parser sees it (entities and external files need one); the second look is
    for encodings in which the first finds nothing.
    """
    plain = payload.replace(b"\x00", b"") if b"\x00" in payload else payload  # UTF-16
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise Unreadable("dtd_refused", "the document declares a document type")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(payload, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise Unreadable("not_xml", str(error)[:500]) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("dtd_refused", "the document declares a document type")
    return root


def local_name(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def child(element: Element | None, name: str) -> Element | None:
    return None if element is None else element.find(f"{{*}}{name}")


def text(element: Element | None, name: str) -> str | None:
    """The text of the first child of that name, stripped; None where there is none or it is empty."""
    found = child(element, name)
    if found is None or found.text is None or not found.text.strip():
        return None
    return found.text.strip()


def texts(element: Element, name: str) -> tuple[str, ...]:
    """The texts of all children of that name that hold text."""
    return tuple(e.text.strip() for e in element.findall(f"{{*}}{name}") if e.text and e.text.strip())


def members(element: Element, name: str, index_attribute: str) -> list[tuple[str, Element]]:
    """Index and content of each indexed child. Either the child itself or a child of the same name in it holds it."""
    found = []
    for outer in element.findall(f"{{*}}{name}"):
        inner = child(outer, name)
        found.append(((outer.get(index_attribute) or "").strip(), outer if inner is None else inner))
    return found


def reference(element: Element, name: str, source: SourceContext) -> str:
    """The source's own id of a record. Raises Unreadable missing_id."""
    found = child(element, name)
    ref = ident(None if found is None else found.get("id"), f"{name} id")
    until = source.options.get("ref_until")
    return ident(ref.partition(until)[0], f"{name} id") if isinstance(until, str) and until else ref


def as_text(element: Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)


def member_as_text(record: Element, reference_name: str, member: Element) -> str:
    """What is needed to read one member again: whose it is, and itself, without its neighbours."""
    found = child(record, reference_name)
    return as_text(member) if found is None else as_text(found) + as_text(member)
