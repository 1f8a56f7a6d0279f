"""One room on air: receives both debaters, makes the programme, feeds the outputs."""
