//! The sections that a block of templates and columns consists of. Bytes of one kind lie together, so
//! that each kind gets Huffman codes of its own.

/// What the columns of a block write to.
#[derive(Default)]
pub(super) struct Lanes {
    /// The lengths of the next three.
    pub(super) lengths: Vec<u8>,
    /// Templates, the kinds and parameters of the columns, and their dictionaries.
    pub(super) layout: Vec<u8>,
    /// Numbers of templates, places in dictionaries, lengths.
    pub(super) places: Vec<u8>,
    /// Numbers of the lines themselves.
    pub(super) numbers: Vec<u8>,
    /// Text that no dictionary holds.
    pub(super) text: Vec<u8>,
    /// What deflating would not make smaller.
    pub(super) side: Vec<u8>,
}

impl Lanes {
    pub(super) fn clear(&mut self) {
        self.lengths.clear();
        self.layout.clear();
        self.places.clear();
        self.numbers.clear();
        self.text.clear();
        self.side.clear();
    }
}

// The kinds of columns; what each writes: the table in `super`.
/// All values are equal.
pub(super) const CONSTANT: u8 = 0;
/// Numbers from a base up to 255 more.
pub(super) const SMALL: u8 = 1;
/// Numbers near the one before.
pub(super) const STEPS: u8 = 2;
/// Numbers that are neither.
pub(super) const PACKED: u8 = 3;
/// Text with few distinct values.
pub(super) const DICTIONARY: u8 = 4;
/// Other text.
pub(super) const TEXT: u8 = 5;
/// Hexadecimal digits in lower case, equally many in each value.
pub(super) const HEXADECIMAL: u8 = 6;
/// What follows from the time of the entry.
pub(super) const CLOCK: u8 = 7;

/// Follows each line.
pub(super) const NEW_LINE: u8 = b'\n';
/// Pieces up to this length are copied in one move, so that many bytes lie behind everything that is
/// copied from or to.
pub(in super::super) const MOVE_BYTES: usize = 32;
