//! The C interface of libopus that `audiopus` is written against, from `unsafe-libopus`: libopus
//! itself, translated to Rust.
//!
//! The published `audiopus_sys` looks for an installed libopus or builds one with cmake; this one,
//! put in its place by `[patch.crates-io]`, needs a Rust compiler. See
//! docs/decisions/0021-opus-without-cmake.md.

#![allow(unsafe_code, reason = "it passes on functions that are unsafe in C")]

use unsafe_libopus::varargs::{IntoVarArg, VarArgs};
pub use unsafe_libopus::*;

/// The argument of a control request: a number to set, or where to put the answer.
pub trait ControlArgument {
    /// As a number to set.
    fn number(&self) -> i32;
    /// Where the answer goes.
    fn place(&mut self) -> Option<&mut i32>;
}

impl ControlArgument for i32 {
    fn number(&self) -> i32 {
        *self
    }

    fn place(&mut self) -> Option<&mut i32> {
        None
    }
}

impl ControlArgument for &mut i32 {
    fn number(&self) -> i32 {
        **self
    }

    fn place(&mut self) -> Option<&mut i32> {
        Some(self)
    }
}

/// `opus_encoder_ctl`, whose arguments C does not name.
///
/// # Safety
/// `encoder` was made by `opus_encoder_create` and is not destroyed.
pub unsafe fn opus_encoder_ctl(
    encoder: *mut OpusEncoder,
    request: i32,
    mut argument: impl ControlArgument,
) -> i32 {
    let Some(arguments) = arguments(request, &mut argument) else { return OPUS_BAD_ARG };
    // SAFETY: the caller's; the arguments are of the kind that the request takes.
    unsafe { opus_encoder_ctl_impl(encoder, request, arguments) }
}

/// `opus_decoder_ctl`, whose arguments C does not name.
///
/// # Safety
/// `decoder` was made by `opus_decoder_create` and is not destroyed.
pub unsafe fn opus_decoder_ctl(
    decoder: *mut OpusDecoder,
    request: i32,
    mut argument: impl ControlArgument,
) -> i32 {
    let Some(arguments) = arguments(request, &mut argument) else { return OPUS_BAD_ARG };
    // SAFETY: the caller's; the arguments are of the kind that the request takes.
    unsafe { opus_decoder_ctl_impl(decoder, request, arguments) }
}

/// Requests that set something have even numbers, those that ask odd ones. `None` where an answer
/// has nowhere to go, and for the one answer that is not an `i32`.
fn arguments<'a>(request: i32, argument: &'a mut impl ControlArgument) -> Option<VarArgs<'a>> {
    let argument = match request {
        OPUS_RESET_STATE => return Some(VarArgs::new(vec![])),
        OPUS_GET_FINAL_RANGE_REQUEST => return None,
        request if request % 2 == 0 => argument.number().into_vararg(),
        _ => argument.place()?.into_vararg(),
    };
    Some(VarArgs::new(vec![argument]))
}

/// `opus_get_version_string`, as a C string.
///
/// # Safety
/// None is needed.
pub unsafe fn opus_get_version_string() -> *const std::ffi::c_char {
    c"libopus in Rust (unsafe-libopus)".as_ptr()
}
