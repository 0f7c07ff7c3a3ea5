"""What a person receives: one list of shortlists as terminal text, workbook or page.

The rooms here format and never decide: every number, order and reason comes from the shortlists.
"""
