//! Cuts an input into pieces of sizes that the input names.

/// What begins the line of sizes, the last one of an input.
const SIZES: &[u8] = b"\n%%% ";

/// The sizes of the last line, and what stands before it. Any file is an input: without the line, pieces are of three bytes.
pub fn sized(data: &[u8]) -> (&[u8], Vec<usize>) {
    let at = data.windows(SIZES.len()).rposition(|window| window == SIZES);
    let (data, line) = at.map_or((data, &[][..]), |at| (&data[..at], &data[at + SIZES.len()..]));
    let numbers = line.split(|byte| !byte.is_ascii_digit());
    let numbers = numbers.filter_map(|word| std::str::from_utf8(word).ok()?.parse::<usize>().ok());
    let mut sizes: Vec<usize> = numbers.filter(|size| *size > 0).collect();
    if sizes.is_empty() {
        sizes.push(3);
    }
    (data, sizes)
}

/// Byte offsets at which the pieces end; at least one.
pub fn ends(sizes: &[usize], length: usize) -> Vec<usize> {
    let mut at = 0_usize;
    let mut ends = Vec::new();
    for size in sizes.iter().cycle() {
        at = length.min(at.saturating_add(*size));
        ends.push(at);
        if at == length {
            break;
        }
    }
    ends
}
