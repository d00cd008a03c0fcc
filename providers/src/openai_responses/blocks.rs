//! Where the pieces of an answer belong. The wire addresses them by item and part, never as "the current one".

/// A piece of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The item as a whole, in its own words.
    Whole,
    /// The frame of a message, without what it says.
    Frame,
    Text(u64),
    Refusal(u64),
    Summary(u64),
    ReasoningText(u64),
    Arguments,
}

/// A block: which item's piece it is, and how many bytes of it have come.
#[derive(Debug)]
struct Block {
    item: u64,
    piece: Piece,
    received: usize,
}

/// The blocks of an answer, in the order in which they appeared.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

impl Blocks {
    /// The ordinal of a block; new if it was not known.
    pub(super) fn at(&mut self, item: u64, piece: Piece) -> u32 {
        self.find(item, piece).0
    }

    /// Whether a block is known.
    pub(super) fn has(&self, item: u64, piece: Piece) -> bool {
        self.0.iter().any(|block| block.item == item && block.piece == piece)
    }

    /// Counts what has come of a block.
    pub(super) fn received(&mut self, item: u64, piece: Piece, text: &str) -> u32 {
        let (ordinal, block) = self.find(item, piece);
        block.received += text.len();
        ordinal
    }

    /// What has not come yet of a block whose whole text is known now: nothing, as a rule. Some servers send no deltas.
    pub(super) fn missing<'a>(&mut self, item: u64, piece: Piece, whole: &'a str) -> Option<(u32, &'a str)> {
        let (ordinal, block) = self.find(item, piece);
        let rest = whole.get(block.received..).filter(|rest| !rest.is_empty())?;
        block.received = whole.len();
        Some((ordinal, rest))
    }

    fn find(&mut self, item: u64, piece: Piece) -> (u32, &mut Block) {
        let at = self.0.iter().position(|block| block.item == item && block.piece == piece);
        let at = at.unwrap_or_else(|| {
            self.0.push(Block { item, piece, received: 0 });
            self.0.len() - 1
        });
        (u32::try_from(at).unwrap_or(u32::MAX), &mut self.0[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deltas_left_out_comes_with_the_whole() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.received(3, Piece::Text(0), "Hel"), 0);
        assert_eq!(blocks.at(1, Piece::Arguments), 1);
        assert_eq!(blocks.missing(3, Piece::Text(0), "Hello"), Some((0, "lo")));
        assert_eq!(blocks.missing(3, Piece::Text(0), "Hello"), None);
        assert_eq!(blocks.missing(1, Piece::Arguments, "{}"), Some((1, "{}")));
        assert_eq!(blocks.missing(3, Piece::Text(1), ""), None);
        assert!(blocks.has(3, Piece::Text(1)) && !blocks.has(4, Piece::Whole));
    }
}
