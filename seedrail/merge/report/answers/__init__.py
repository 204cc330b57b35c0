"""A run's conflicts as a file for people, and the decisions that they make in it."""

from seedrail.merge.report.answers.decisions import TALLIES, Answers, Decision, DecisionError, Entry, choices

__all__ = ["TALLIES", "Answers", "Decision", "DecisionError", "Entry", "choices"]
