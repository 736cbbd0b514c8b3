"""The HTML report is one page that loads nothing, and shows hostile text as text."""

from html.parser import HTMLParser

import pytest

from neuroloom import plots
from neuroloom.cli.report import Section, code, html_report, table

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script src=//evil></script>",
    '"><img src=x onerror=alert(1)>',
    "</title></section><iframe>",
    "' onload='x",
    "&lt;b&gt; & <b>",
    "\u202eright to left \N{GRINNING FACE} naïve",
]
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Elements, their attributes and the text of a page; unbalanced tags are an error."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.elements, self.texts = [], [], {}
        self.feed(markup)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and text.strip():
            self.texts.setdefault(self.open[-1], []).append(text)


def report():
    figure = plots.svg(plots.curves({"loss": [0.9, 0.5], "val_loss": [1.0, 0.7]}))
    sections = [
        Section("Results", table(["metric", "value"], [["accuracy", 0.975], ["loss", "0.0812"]]), "On held-out rows."),
        Section("Curves", figure),
        Section("Use", code("model = nl.load_model('a.safetensors')")),
    ]
    return html_report("Iris", sections)


def test_the_page_loads_nothing():
    elements = Page(report()).elements
    assert not {tag for tag, _ in elements} & {"script", "link", "iframe", "object", "embed", "base", "img", "form"}
    for tag, attributes in elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} has {name}"
            if name in {"src", "href", "xlink:href", "data", "action", "poster", "srcset"}:
                assert value.startswith(("#", "data:image/png;base64,")), f"{tag} loads {value}"
    style = report().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_the_page_shows_what_it_was_given_in_order():
    page = Page(report())
    assert page.texts["title"] == page.texts["h1"] == ["Iris"]
    assert page.texts["h2"] == ["Results", "Curves", "Use"] and page.texts["p"] == ["On held-out rows."]
    assert page.texts["th"] == ["metric", "value"]
    assert page.texts["td"] == ["accuracy", "0.975", "loss", "0.0812"]
    assert page.texts["pre"] == ["model = nl.load_model('a.safetensors')"]
    assert [tag for tag, _ in page.elements].count("svg") == 1
    assert report() == report()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(text):
    page = Page(html_report(text, [Section(text, table([text], [[text]]), text), Section("code", code(text))]))
    for tag in ("title", "h1", "p", "th", "td", "pre"):
        assert "".join(page.texts[tag]) == text
    assert page.texts["h2"][0] == text
    plain = Page(html_report("a", [Section("a", table(["a"], [["a"]]), "a"), Section("code", code("a"))]))
    assert page.elements == plain.elements  # the text added no element and no attribute


def test_the_first_columns_hold_text():
    assert table(["a", "b"], [["1", "2"]]).count('class="text"') == 2
    assert table(["a", "b"], [["1", "2"]], left=2).count('class="text"') == 4
