//! A reader for the Protocol Buffers wire format: fields of one message, borrowed, every length checked.
//!
//! Stricter than the official parsers on purpose: groups, over-long tags and lengths past the end are errors, so nothing can
//! hide in a place where two parsers differ. Source: the Protocol Buffers encoding guide.

/// The fields of one message.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// One field: its number, its value, and where its tag stands (bytes from the start of the file).
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub number: u32,
    pub value: FieldValue<'a>,
    pub offset: usize,
}

#[derive(Clone, Debug)]
pub(super) enum FieldValue<'a> {
    Varint(u64),
    Fixed,
    /// Bytes of a string, a message or a packed list, and where they start in the file.
    Bytes(&'a [u8], usize),
}

impl<'a> Fields<'a> {
    /// Fields of the message `bytes`, which stands at `offset` in the file.
    pub fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, offset }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let Some((head, tail)) = self.rest.split_at_checked(count) else {
            return Err(format!("byte {}: {count} bytes announced, {} left", self.offset, self.rest.len()));
        };
        self.rest = tail;
        self.offset += count;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let start = self.offset;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let &[byte] = self.take(1)? else { break };
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("byte {start}: a number of more than 64 bits"))
    }

    fn field(&mut self) -> Result<Field<'a>, String> {
        let offset = self.offset;
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..=MAX_FIELD).contains(number));
        let Some(number) = number else {
            return Err(format!("byte {offset}: not a field number"));
        };
        // A tag of more than five bytes is one that other parsers refuse or read differently.
        if self.offset - offset > 5 {
            return Err(format!("byte {offset}: an over-long tag"));
        }
        let value = match tag & 7 {
            0 => FieldValue::Varint(self.varint()?),
            1 => self.take(8).map(|_| FieldValue::Fixed)?,
            2 => {
                let announced = self.varint()?;
                let length = usize::try_from(announced).unwrap_or(usize::MAX);
                let start = self.offset;
                FieldValue::Bytes(self.take(length)?, start)
            }
            5 => self.take(4).map(|_| FieldValue::Fixed)?,
            other => return Err(format!("byte {offset}: wire type {other} is not used by ONNX")),
        };
        Ok(Field { number, value, offset })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            // Nothing after a broken field can be trusted.
            self.rest = &[];
        }
        Some(field)
    }
}

const MAX_FIELD: u32 = (1 << 29) - 1;
