"""The document as one web page: nothing loaded from anywhere, no script, ready for print."""

from html import escape
from pathlib import Path

from monitor.report.document import Block, Bullets, Document, Facts, Heading, Para, Picture, Table
from monitor.report.names_between_marks import END, START, unmarked

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--rule:#c8c8c8;--soft:#f3f3f1;
--red:#8f1022}
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e6;--paper:#161616;--rule:#444;--soft:#232323;
--red:#ff9aa5}}
*{box-sizing:border-box}
body{margin:0;color:var(--ink);background:var(--paper);font:16px/1.55 system-ui,"Noto Sans",
"DejaVu Sans",sans-serif}
main,header,footer{max-width:52rem;margin:0 auto;padding:0 1.2rem}
header{padding-top:2rem;border-bottom:3px solid var(--red)}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .4rem}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.6rem 0 .4rem}
p.lead{font-size:1.1rem;border-inline-start:4px solid var(--red);padding-inline-start:.8rem;
margin:.6rem 0}
.sub{margin:0 0 1rem}
.scroll{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:start;font-weight:600;padding:.3rem 0}
th,td{border:1px solid var(--rule);padding:.35rem .5rem;text-align:start;vertical-align:top;
overflow-wrap:anywhere}
thead th{background:var(--soft);overflow-wrap:normal}
tbody th{font-weight:600}
table.facts th{width:8rem;background:var(--soft)}
figure{margin:1.2rem 0}svg{max-width:100%;height:auto}
figcaption,footer{font-size:.85rem}
footer{margin-top:2.5rem;padding-bottom:2rem;border-top:1px solid var(--rule)}
@media print{body{font-size:10.5pt}h2,h3,caption{break-after:avoid}
tr,figure,p.lead{break-inside:avoid}
main,header,footer{max-width:none}}
"""


def render(document: Document, folder: Path) -> bytes:
    """The page, UTF-8; charts are taken from `folder` and become part of it."""
    body = "\n".join(_block(block, folder, document.table) for block in document.blocks)
    title = _text(document.title)
    return f"""<!doctype html>
<html lang="{document.language.code}" dir="{document.language.direction}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(unmarked(document.title))}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{title}</h1><p class="sub">{_text(document.subtitle)}</p></header>
<main>
{body}
</main>
<footer><p>{_text(document.footer)}</p></footer>
</body>
</html>
""".encode()


def _text(text: str) -> str:
    """Escaped, with names kept to their own direction."""
    return escape(text).replace(START, "<bdi>").replace(END, "</bdi>")


def _block(block: Block, folder: Path, label: str) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_text(block.text)}</h{block.level}>"
        case Para():
            kind = ' class="lead"' if block.lead else ""
            return f"<p{kind}>{_text(block.text)}</p>"
        case Bullets():
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
        case Facts():
            rows = "".join(
                f'<tr><th scope="row">{_text(what)}</th><td>{_text(that)}</td></tr>'
                for what, that in block.rows
            )
            return f'<table class="facts"><tbody>{rows}</tbody></table>'
        case Table():
            return _table(block, label)
        case Picture():
            return _picture(block, folder)


def _table(table: Table, label: str) -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in table.header)
    rows = "".join(
        f'<tr><th scope="row">{_text(first)}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in table.rows
    )
    # Wide tables scroll by themselves; with a tab stop the keyboard can do it too.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><caption>{_text(table.caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _picture(picture: Picture, folder: Path) -> str:
    svg = (folder / f"{picture.name}.svg").read_text(encoding="utf-8")
    return (
        f'<figure><div role="img" aria-label="{escape(unmarked(picture.alt))}">{svg}</div>'
        f"<figcaption>{_text(picture.caption)}</figcaption></figure>"
    )
