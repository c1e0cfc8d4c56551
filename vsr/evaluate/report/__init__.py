"""One self-contained HTML page on what was done to a video, and how far it can be trusted.

The way through: `build.py` recognises the input, `from_*.py` read it into a `Document`
(`document.py`), `page.py` renders that with the templates in ``assets/``.
"""
