//! Loops over frames, built for the vectors of every processor and for AVX2, picked at run time.
//!
//! The bodies are plain safe loops that the compiler turns into vector instructions: checked sums
//! would keep it from that, so they wrap where the caller says that they can not.

/// Defines a function whose body is compiled twice on x86-64: for SSE2, which is always there, and
/// for AVX2, which is asked for. NEON is always there on AArch64.
macro_rules! vectorized {
    ($(#[$documentation:meta])* $visibility:vis fn $name:ident($($argument:ident: $of:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$documentation])*
        #[inline]
        $visibility fn $name($($argument: $of),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $of),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn with_avx2($($argument: $of),*) $(-> $result)? {
                    body($($argument),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    #[allow(unsafe_code, reason = "the processor is asked first")]
                    // SAFETY: AVX2 was detected on the processor that runs this.
                    return unsafe { with_avx2($($argument),*) };
                }
            }
            body($($argument),*)
        }
    };
}

pub(crate) use vectorized;
