//! Functions of framewire behind C's calling convention, for `prove.py`.

#![no_std]

use core::slice;
use framewire::{Header, ProtocolError, Rsv, internal::mask_kernels, mask::Key};

/// What [`parse`] found: `prove.py` reads the fields at their offsets.
#[repr(C)]
pub struct Parsed {
    payload_len: u64,
    /// 0: incomplete, 1: a header, else an error.
    result: u32,
    wire_len: u32,
    /// Whether there is a key.
    masked: u32,
    key: [u8; 4],
    /// Bit by bit as on the wire.
    first: u8,
}

/// [`Header::parse`].
///
/// # Safety
/// `at` is valid for reads of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn parse(at: *const u8, len: usize, parsed: &mut Parsed) {
    // SAFETY: the caller promises the memory.
    let wire = unsafe { slice::from_raw_parts(at, len) };
    parsed.result = match Header::parse(wire) {
        Ok(None) => 0,
        Ok(Some(header)) => {
            parsed.payload_len = header.payload_len;
            parsed.wire_len = header.wire_len() as u32;
            parsed.masked = header.key.is_some().into();
            parsed.key = header.key.map_or([0; 4], Key::to_bytes);
            let bits = [(Rsv::RSV1, 0x40), (Rsv::RSV2, 0x20), (Rsv::RSV3, 0x10)];
            let rsv = bits
                .into_iter()
                .filter(|&(bit, _)| header.rsv.contains(bit))
                .fold(0, |all, (_, bit)| all | bit);
            parsed.first = u8::from(header.fin) << 7 | rsv | header.opcode.to_bits();
            1
        }
        Err(ProtocolError::ReservedOpcode) => 2,
        Err(ProtocolError::FragmentedControl) => 3,
        Err(ProtocolError::ControlTooLong) => 4,
        Err(ProtocolError::LengthNotMinimal) => 5,
        Err(ProtocolError::LengthOutOfRange) => 6,
        Err(_) => 7,
    };
}

/// Masks by the kernel of this number. Returns whether there is one that the CPU can run.
///
/// # Safety
/// `at` is valid for reads and writes of `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mask(kernel: usize, at: *mut u8, len: usize, key: u32) -> bool {
    // SAFETY: the caller promises the memory.
    let bytes = unsafe { slice::from_raw_parts_mut(at, len) };
    let Some(kernel) = mask_kernels().nth(kernel) else { return false };
    kernel.apply(Key::new(key.to_ne_bytes()), bytes);
    true
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
