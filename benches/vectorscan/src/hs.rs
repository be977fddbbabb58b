//! What is needed of Vectorscan's C interface (hs.h, Debian's libvectorscan-dev).

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;

#[repr(C)]
struct CompileError {
    message: *mut c_char,
    expression: c_int,
}

type OnMatch = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

unsafe extern "C" {
    fn hs_version() -> *const c_char;
    fn hs_compile_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        db: *mut *mut c_void,
        error: *mut *mut CompileError,
    ) -> c_int;
    fn hs_free_compile_error(error: *mut CompileError) -> c_int;
    fn hs_alloc_scratch(db: *const c_void, scratch: *mut *mut c_void) -> c_int;
    fn hs_scan(
        db: *const c_void,
        data: *const u8,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        on: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_open_stream(db: *const c_void, flags: c_uint, stream: *mut *mut c_void) -> c_int;
    fn hs_scan_stream(
        stream: *mut c_void,
        data: *const u8,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        on: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_reset_stream(
        stream: *mut c_void,
        flags: c_uint,
        scratch: *mut c_void,
        on: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_serialize_database(db: *const c_void, bytes: *mut *mut c_char, length: *mut usize) -> c_int;
    fn hs_deserialize_database(bytes: *const c_char, length: usize, db: *mut *mut c_void) -> c_int;
    fn hs_database_size(db: *const c_void, bytes: *mut usize) -> c_int;
}

pub const CASELESS: c_uint = 1;
pub const SINGLE_MATCH: c_uint = 8;
pub const UTF8: c_uint = 32;
const BLOCK: c_uint = 1;
const STREAM: c_uint = 2;

/// A compiled database with its scratch.
pub struct Database {
    db: *mut c_void,
    scratch: *mut c_void,
    stream: *mut c_void,
}

extern "C" fn count(_: c_uint, _: c_ulonglong, _: c_ulonglong, _: c_uint, context: *mut c_void) -> c_int {
    // SAFETY: every search below gives a pointer to a u64 that outlives it.
    unsafe { *context.cast::<u64>() += 1 };
    0
}

pub fn version() -> String {
    // SAFETY: a constant string of the library.
    unsafe { CStr::from_ptr(hs_version()).to_string_lossy().into_owned() }
}

impl Database {
    /// Compiles patterns with their flags. The error names the pattern.
    pub fn new(patterns: &[(String, c_uint)], streams: bool) -> Result<Self, (String, usize)> {
        let texts: Result<Vec<CString>, _> = patterns.iter().map(|(text, _)| CString::new(text.as_str())).collect();
        let texts = texts.map_err(|error| (error.to_string(), 0))?;
        let pointers: Vec<*const c_char> = texts.iter().map(|text| text.as_ptr()).collect();
        let flags: Vec<c_uint> = patterns.iter().map(|(_, flags)| *flags).collect();
        let ids: Vec<c_uint> = (0..patterns.len() as c_uint).collect();
        let mode = if streams { STREAM } else { BLOCK };
        let (mut db, mut error) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: all arrays have as many elements as is said; what the library allocates is kept until the process ends.
        unsafe {
            let code = hs_compile_multi(
                pointers.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                ids.len() as c_uint,
                mode,
                ptr::null(),
                &mut db,
                &mut error,
            );
            if code != 0 {
                let message = CStr::from_ptr((*error).message).to_string_lossy().into_owned();
                let which = usize::try_from((*error).expression).unwrap_or(usize::MAX);
                hs_free_compile_error(error);
                return Err((message, which));
            }
        }
        Self::of(db, streams).ok_or_else(|| ("no scratch".to_owned(), 0))
    }

    fn of(db: *mut c_void, streams: bool) -> Option<Self> {
        let (mut scratch, mut stream) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the database is alive; what is made from it is kept until the process ends.
        let is_made =
            unsafe { hs_alloc_scratch(db, &mut scratch) == 0 && (!streams || hs_open_stream(db, 0, &mut stream) == 0) };
        is_made.then_some(Self { db, scratch, stream })
    }

    /// The bytes to keep it in a file.
    pub fn serialized(&self) -> Option<Vec<u8>> {
        let (mut bytes, mut length) = (ptr::null_mut(), 0);
        // SAFETY: the library gives so many bytes, which are copied.
        unsafe {
            (hs_serialize_database(self.db, &mut bytes, &mut length) == 0)
                .then(|| std::slice::from_raw_parts(bytes.cast::<u8>(), length).to_vec())
        }
    }

    /// From [`Database::serialized`] by the same library.
    pub fn deserialized(bytes: &[u8], streams: bool) -> Option<Self> {
        let mut db = ptr::null_mut();
        // SAFETY: the bytes outlive the call.
        let code = unsafe { hs_deserialize_database(bytes.as_ptr().cast(), bytes.len(), &mut db) };
        (code == 0).then(|| Self::of(db, streams)).flatten()
    }

    pub fn bytes(&self) -> usize {
        let mut bytes = 0;
        // SAFETY: the database is alive.
        unsafe { hs_database_size(self.db, &mut bytes) };
        bytes
    }

    pub fn block(&self, text: &[u8]) -> u64 {
        let mut found = 0u64;
        // SAFETY: text and counter outlive the call; one thread uses the scratch.
        unsafe {
            hs_scan(self.db, text.as_ptr(), text.len() as c_uint, 0, self.scratch, count, (&raw mut found).cast())
        };
        found
    }

    pub fn stream(&self, text: &[u8], chunk: usize) -> u64 {
        let mut found = 0u64;
        let context = (&raw mut found).cast();
        // SAFETY: as above; the stream is reset before the next text.
        unsafe {
            for piece in text.chunks(chunk) {
                hs_scan_stream(self.stream, piece.as_ptr(), piece.len() as c_uint, 0, self.scratch, count, context);
            }
            hs_reset_stream(self.stream, 0, self.scratch, count, context);
        }
        found
    }
}
