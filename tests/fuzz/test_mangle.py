"""What is spoiled stays a tree: one that stood in itself would never be written to its end."""

from __future__ import annotations

from random import Random

from accord.formats.syncml.node import Node
from tests.fuzz.mangle import Mangler


def test_an_element_that_stands_twice_never_gets_into_itself() -> None:
    for seed in range(20):
        twice = Node("Item", "", Node("Data", "one"))
        root = Node("Add", "", twice, twice)
        mangler = Mangler(Random(seed))
        mangler.rename(root, root, 1)
        mangler.move(root, root, 1)
        assert depth(root) <= 4


def depth(node: Node, above: int = 0) -> int:
    """Return how many elements stand in each other, or more than anybody asks for."""
    if above > 10:
        return above
    return 1 + max((depth(child, above + 1) for child in node.children), default=0)
