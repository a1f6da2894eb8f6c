"""The report as one self-contained page: summary, figures, tables and a clip viewer."""
