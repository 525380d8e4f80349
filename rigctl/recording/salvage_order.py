"""The intact blocks of a damaged stream in the order in which they were recorded (pure).

From: `salvage_blocks`.  To: `salvage_plan`.

Each index has its own count of samples. What was moved aside follows what is in place, unless the
recording went on where it had stood: then it stands between the two.

    data.idx        |0  |10 |20 |30'|40'|        recovered at 30, then gone on with
    data.idx.torn               |30 |40 |
    in order        |0  |10 |20 |30 |40 |30'|40'|
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from rigctl.recording.salvage_blocks import Block
from rigctl.recording.salvage_index import Proof


def arranged(
    main: Sequence[Block], torn: Iterable[Sequence[Block]], frame_bytes: int
) -> tuple[list[Block], list[list[Block]]]:
    """Return the blocks that follow the recording's own count, and further ones with their own.

    Args:
        main: the blocks of the index that is in place.
        torn: those of each that was moved aside.
        frame_bytes: the size of a sample.

    Returns:
        The blocks of the first count, and for each other one its blocks.
    """
    ordered = consistent(main, frame_bytes)
    others = []
    for group in torn:
        known = set(map(_identity, ordered))
        fresh = [block for block in group if _identity(block) not in known]
        begin = min((block.record.first for block in fresh), default=0)
        if fresh and ordered and end_of(ordered[-1]) > begin:
            others.append(consistent(fresh, frame_bytes))
        else:
            ordered = consistent([*ordered, *fresh], frame_bytes)
    return ordered, [other for other in others if other]


def consistent(blocks: Iterable[Block], frame_bytes: int) -> list[Block]:
    """Return blocks by their first samples, none over another, and loose ones where they fit."""
    kept: list[Block] = []
    loose: list[Block] = []
    for block in sorted(blocks, key=first_of):
        if block.proof is Proof.LOOSE:
            loose.append(block)
        elif not kept or first_of(block) >= end_of(kept[-1]):
            kept.append(block)
    for block in loose:
        at = bisect_right(kept, first_of(block), key=first_of)
        before = kept[at - 1] if at else None
        after = kept[at] if at < len(kept) else None
        if _fits(block, before, after, frame_bytes):
            kept.insert(at, block)
    return kept


def first_of(block: Block) -> int:
    """Return a block's first sample."""
    return block.record.first


def end_of(block: Block) -> int:
    """Return the sample behind a block's last one."""
    return block.record.first + block.record.count


def _fits(block: Block, before: Block | None, after: Block | None, frame_bytes: int) -> bool:
    """Whether a block whose record is not proven can stand between two others."""
    if (before and end_of(before) > first_of(block)) or (after and end_of(block) > first_of(after)):
        return False
    record = block.record
    for other in (before, after):
        if other and other.record.part == record.part:
            apart = (record.first - other.record.first) * frame_bytes
            return record.offset - other.record.offset == apart
    if record.part == 1:
        return record.offset == record.first * frame_bytes
    return record.offset == 0 and before is not None and end_of(before) == record.first


def _identity(block: Block) -> tuple[int, int, int, int]:
    record = block.record
    return record.first, record.count, record.payload_crc, record.offset
