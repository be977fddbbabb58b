//! Further texts from the pieces of an input: compiling its rules costs as much as searching a hundred short texts.

/// The pieces of a text, and characters of a piece.
const PIECES_MAX: usize = 12;
const PIECE_CHARS_MAX: usize = 9;

/// Numbers that look random and are the same for the same input.
pub struct Draw(u64);

impl Draw {
    /// FNV-1a.
    pub fn new(data: &[u8]) -> Self {
        Self(
            data.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3)),
        )
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound.max(1)
    }

    /// Runs of the source's characters, each sometimes several times.
    pub fn pieces(&mut self, source: &[char]) -> Vec<String> {
        let count = self.below(PIECES_MAX);
        (0..count)
            .map(|_| {
                let start = self.below(source.len());
                let run: String = source.iter().skip(start).take(1 + self.below(PIECE_CHARS_MAX)).collect();
                run.repeat(if self.below(4) == 0 { 1 + self.below(4) } else { 1 })
            })
            .collect()
    }
}
