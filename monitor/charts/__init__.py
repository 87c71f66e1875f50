"""Charts on a time axis, as SVG and, of the same drawing, as PNG.

    time_chart.py  lanes of bars and lines of shares, with axis, legend and title
    ticks.py       round moments for the axis
    svg.py         the drawing itself
    letters.py     the fonts, and how wide they set a text

Reports, pictures of events and `replay --plot` use it. Its libraries (the extras `plot` and
`report`) are loaded when something is drawn.
"""
