"""The usual way to a long paper, pinned: one WeasyPrint document."""

from time import perf_counter

from django.template.loader import render_to_string

from bench.paper import laid
from core import drawing


def one_document(union):
    """The roll of the union with the key `union`, all its pages in one document.

    Fair: the same rows, HTML and CSS as our slices, by the same version of WeasyPrint with the same two faces, imported
    before the clock starts. It is spared what our paper has besides: number, check value, QR code and page numbers.
    """
    weasyprint = drawing._weasyprint()  # the import, with the fontconfig of the two faces
    began = perf_counter()
    kind, context, rows = laid(union)
    html = render_to_string(kind.template, context)
    content = weasyprint.HTML(string=drawing.printable(html), url_fetcher=drawing.refuse).write_pdf()
    return {"seconds": perf_counter() - began, "rows": rows, "pages": len(context["pages"]), "kb": len(content) // 1024}
