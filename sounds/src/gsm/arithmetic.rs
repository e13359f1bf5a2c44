//! The operations of the recommendation (§5.1): 16 and 32 bits, saturating.

pub(super) fn add(a: i16, b: i16) -> i16 {
    a.saturating_add(b)
}

pub(super) fn sub(a: i16, b: i16) -> i16 {
    a.saturating_sub(b)
}

/// The product of two fractions.
pub(super) fn mult(a: i16, b: i16) -> i16 {
    if a == i16::MIN && b == i16::MIN {
        i16::MAX
    } else {
        ((i32::from(a) * i32::from(b)) >> 15) as i16
    }
}

/// The same, rounded.
pub(super) fn mult_r(a: i16, b: i16) -> i16 {
    if a == i16::MIN && b == i16::MIN {
        i16::MAX
    } else {
        ((i32::from(a) * i32::from(b) + 16_384) >> 15) as i16
    }
}

/// The product of two fractions with all its bits.
pub(super) fn l_mult(a: i16, b: i16) -> i32 {
    (i32::from(a) * i32::from(b)) << 1
}

pub(super) fn abs(a: i16) -> i16 {
    a.saturating_abs()
}

/// A fraction; `part` is neither negative nor more than `whole`.
pub(super) fn div(part: i16, whole: i16) -> i16 {
    let (mut rest, whole) = (i32::from(part), i32::from(whole));
    (0..15).fold(0, |quotient: i16, _| {
        rest <<= 1;
        if rest >= whole {
            rest -= whole;
            quotient << 1 | 1
        } else {
            quotient << 1
        }
    })
}

/// By how many bits a value other than 0 can be shifted left without changing its sign.
pub(super) fn norm(value: i32) -> u32 {
    (if value < 0 { !value } else { value }).leading_zeros().saturating_sub(1)
}

/// A shift left, or right if negative.
pub(super) fn shift_left(a: i16, by: i16) -> i16 {
    match by {
        0..16 => a << by,
        16.. => 0,
        -15..0 => a >> -by,
        _ => a >> 15,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_are_those_of_the_recommendation() {
        assert_eq!((add(30_000, 30_000), sub(-30_000, 30_000)), (i16::MAX, i16::MIN));
        assert_eq!((mult(i16::MIN, i16::MIN), mult_r(i16::MIN, i16::MIN)), (i16::MAX, i16::MAX));
        assert_eq!((mult(1, 1), mult_r(16_384, 1), abs(i16::MIN)), (0, 1, i16::MAX));
        assert_eq!((div(1, 2), div(5, 5), div(0, 7)), (16_384, 32_767, 0));
        assert_eq!((norm(1), norm(0x4000_0000), norm(-1), norm(i32::MIN)), (30, 0, 31, 0));
        assert_eq!((shift_left(1, -1), shift_left(-4, -1), shift_left(3, 2)), (0, -2, 12));
    }
}
