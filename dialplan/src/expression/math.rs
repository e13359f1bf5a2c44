//! Calls inside an expression: the mathematical functions, and any dialplan function that can be read.
//!
//! The transcendental ones are computed with 113-bit significands and rounded once to 64, which is at least
//! as exact as the long double functions they stand for.

use rustc_apfloat::ieee::Quad;
use rustc_apfloat::{Float, FloatConvert, Round};

use super::Surroundings;
use super::number::{Extended, Number};
use super::value::Value;

/// Calls a function by its name in capitals.
pub(super) fn call<'a>(
    name: &[u8],
    arguments: Vec<Value<'a>>,
    surroundings: &mut dyn Surroundings,
) -> Value<'a> {
    if let Some(function) = Function::named(name) {
        if arguments.len() != function.arity() {
            let name = bstr::BStr::new(name);
            surroundings.warn(format_args!("wrong number of arguments to {name}()"));
            return Value::Number(Number::ZERO);
        }
        // A text counts as nothing, without a warning.
        let number = |index: usize| arguments[index].number().unwrap_or(Number::ZERO).extended();
        let second = if function.arity() == 2 { number(1) } else { Extended::ZERO };
        return Value::Number(Number::from_extended(function.compute(number(0), second)));
    }
    let mut joined = Vec::new();
    for (index, argument) in arguments.into_iter().enumerate() {
        if index > 0 {
            joined.push(b',');
        }
        argument.write(&mut joined);
    }
    let mut out = Vec::new();
    if surroundings.call(name, &joined, &mut out) {
        return Value::made(out);
    }
    let name = bstr::BStr::new(name);
    surroundings.warn(format_args!("no function {name}() that can be read"));
    Value::Number(Number::ZERO)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Cos,
    Sin,
    Tan,
    Acos,
    Asin,
    Atan,
    Atan2,
    Pow,
    Sqrt,
    Floor,
    Ceil,
    Round,
    Rint,
    Trunc,
    Exp,
    Exp2,
    Exp10,
    Log,
    Log2,
    Log10,
    Remainder,
}

impl Function {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"COS" => Self::Cos,
            b"SIN" => Self::Sin,
            b"TAN" => Self::Tan,
            b"ACOS" => Self::Acos,
            b"ASIN" => Self::Asin,
            b"ATAN" => Self::Atan,
            b"ATAN2" => Self::Atan2,
            b"POW" => Self::Pow,
            b"SQRT" => Self::Sqrt,
            b"FLOOR" => Self::Floor,
            b"CEIL" => Self::Ceil,
            b"ROUND" => Self::Round,
            b"RINT" => Self::Rint,
            b"TRUNC" => Self::Trunc,
            b"EXP" => Self::Exp,
            b"EXP2" => Self::Exp2,
            b"EXP10" => Self::Exp10,
            b"LOG" => Self::Log,
            b"LOG2" => Self::Log2,
            b"LOG10" => Self::Log10,
            b"REMAINDER" => Self::Remainder,
            _ => return None,
        })
    }

    fn arity(self) -> usize {
        if matches!(self, Self::Atan2 | Self::Pow | Self::Remainder) { 2 } else { 1 }
    }

    fn compute(self, x: Extended, y: Extended) -> Extended {
        match self {
            Self::Floor => x.round_to_integral(Round::TowardNegative).value,
            Self::Ceil => x.round_to_integral(Round::TowardPositive).value,
            Self::Round => x.round_to_integral(Round::NearestTiesToAway).value,
            Self::Rint => x.round_to_integral(Round::NearestTiesToEven).value,
            Self::Trunc => x.round_to_integral(Round::TowardZero).value,
            Self::Remainder => x.ieee_rem(y).value,
            _ if !x.is_finite() || !y.is_finite() => Extended::NAN,
            Self::Cos => rounded(sine_and_cosine(wide(x)).1),
            Self::Sin if x.is_zero() => x,
            Self::Sin => rounded(sine_and_cosine(wide(x)).0),
            Self::Tan if x.is_zero() => x,
            Self::Tan => {
                let (sine, cosine) = sine_and_cosine(wide(x));
                rounded((sine / cosine).value)
            }
            Self::Asin if x.is_zero() => x,
            Self::Asin | Self::Acos if wide(x).abs() > one() => -Extended::NAN,
            Self::Asin => rounded(arc_sine(wide(x))),
            Self::Acos => rounded((half_pi() - arc_sine(wide(x))).value),
            Self::Atan if x.is_zero() => x,
            Self::Atan => rounded(arc_tangent(wide(x))),
            Self::Atan2 => arc_tangent_of(x, y),
            Self::Pow => power(x, y),
            Self::Sqrt if x.is_zero() => x,
            Self::Sqrt if x.is_negative() => -Extended::NAN,
            Self::Sqrt => rounded(square_root(wide(x))),
            Self::Exp => rounded(exponential(wide(x))),
            Self::Exp2 => {
                whole_power(2, x).unwrap_or_else(|| rounded(exponential((wide(x) * ln_2()).value)))
            }
            Self::Exp10 => whole_power(10, x)
                .unwrap_or_else(|| rounded(exponential((wide(x) * ln_10()).value))),
            Self::Log | Self::Log2 | Self::Log10 if x.is_zero() => -Extended::INFINITY,
            Self::Log | Self::Log2 | Self::Log10 if x.is_negative() => -Extended::NAN,
            Self::Log => rounded(logarithm(wide(x))),
            Self::Log2 => rounded((logarithm(wide(x)) / ln_2()).value),
            Self::Log10 => rounded((logarithm(wide(x)) / ln_10()).value),
        }
    }
}

fn wide(x: Extended) -> Quad {
    x.convert(&mut false).value
}

fn rounded(x: Quad) -> Extended {
    x.convert(&mut false).value
}

fn whole(value: i64) -> Quad {
    Quad::from_i128(i128::from(value)).value
}

fn one() -> Quad {
    whole(1)
}

fn constant(text: &str) -> Quad {
    Quad::from_str_r(text, Round::NearestTiesToEven).map_or(Quad::NAN, |parsed| parsed.value)
}

fn half_pi() -> Quad {
    constant("1.57079632679489661923132169163975144209858469968755")
}

fn ln_2() -> Quad {
    constant("0.69314718055994530941723212145817656807550013436026")
}

fn ln_10() -> Quad {
    constant("2.30258509299404568401799145468436420760110148862877")
}

/// The nearest whole number, when it is small enough to count with.
fn nearest(x: Quad) -> Option<i64> {
    let mut is_exact = false;
    let value = x.to_i128_r(40, Round::NearestTiesToEven, &mut is_exact);
    (!value.status.intersects(rustc_apfloat::Status::INVALID_OP)).then_some(value.value as i64)
}

/// Sums a power series until a term no longer counts.
fn series(first: Quad, mut next: impl FnMut(Quad, i64) -> Quad) -> Quad {
    let mut sum = first;
    let mut term = first;
    for index in 1..400 {
        term = next(term, index);
        let larger = (sum + term).value;
        if larger == sum {
            break;
        }
        sum = larger;
    }
    sum
}

/// Angles beyond 2^39 quarter turns have no exact digits left here: not a number.
fn sine_and_cosine(x: Quad) -> (Quad, Quad) {
    let Some(quarters) = nearest((x / half_pi()).value) else { return (Quad::NAN, Quad::NAN) };
    // Pi/2 in two parts keeps the rest exact to 113 bits for the angles people write.
    let low = constant("4.33590506506189051239852201302167613e-35");
    let turns = whole(quarters);
    let rest = ((x - (turns * half_pi()).value).value - (turns * low).value).value;
    let square = (rest * rest).value;
    let step = |offset: i64| {
        move |term: Quad, n: i64| {
            -((term * square).value / whole((2 * n - 1 + offset) * (2 * n + offset))).value
        }
    };
    let sine = series(rest, step(1));
    let cosine = series(one(), step(0));
    match quarters.rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// Halves the argument until the series converges fast.
fn arc_tangent(x: Quad) -> Quad {
    let mut x = x;
    let mut doublings = 0;
    while x.abs() > constant("0.05") && doublings < 12 {
        let root = square_root((one() + (x * x).value).value);
        x = (x / (one() + root).value).value;
        doublings += 1;
    }
    let square = (x * x).value;
    let mut odd = x;
    let sum = series(x, |_, n| {
        odd = -(odd * square).value;
        (odd / whole(2 * n + 1)).value
    });
    sum.scalbn(doublings)
}

fn arc_sine(x: Quad) -> Quad {
    let rest = (one() - (x * x).value).value;
    if rest.is_zero() {
        return if x.is_negative() { -half_pi() } else { half_pi() };
    }
    arc_tangent((x / square_root(rest)).value)
}

fn arc_tangent_of(y: Extended, x: Extended) -> Extended {
    let pi = half_pi().scalbn(1);
    let signed = |angle: Quad| rounded(if y.is_negative() { -angle } else { angle });
    if y.is_zero() {
        return if x.is_negative() { signed(pi) } else { y };
    }
    if x.is_zero() {
        return signed(half_pi());
    }
    let angle = arc_tangent((wide(y).abs() / wide(x).abs()).value);
    signed(if x.is_negative() { (pi - angle).value } else { angle })
}

fn square_root(x: Quad) -> Quad {
    if x.is_zero() || !x.is_finite() || x.is_negative() {
        return x;
    }
    // Newton's steps double the right digits each time; the first guess has the right exponent.
    let mut root = one().scalbn(x.ilogb() / 2);
    for _ in 0..12 {
        root = (root + (x / root).value).value.scalbn(-1);
    }
    root
}

fn exponential(x: Quad) -> Quad {
    let turns = (x / ln_2()).value;
    let Some(powers) = nearest(turns).filter(|powers| powers.abs() < 20_000) else {
        return if x.is_negative() { Quad::ZERO } else { Quad::INFINITY };
    };
    let rest = (x - (whole(powers) * ln_2()).value).value;
    let sum = series(one(), |term, n| ((term * rest).value / whole(n)).value);
    sum.scalbn(powers as i32)
}

fn logarithm(x: Quad) -> Quad {
    // x = m * 2^k with m around 1; ln m = 2 artanh((m - 1) / (m + 1)).
    let mut power = x.ilogb();
    let mut m = x.scalbn(-power);
    if m > constant("1.41421356237309504880") {
        m = m.scalbn(-1);
        power += 1;
    }
    let ratio = ((m - one()).value / (m + one()).value).value;
    let square = (ratio * ratio).value;
    let mut odd = ratio;
    let sum = series(ratio, |_, n| {
        odd = (odd * square).value;
        (odd / whole(2 * n + 1)).value
    });
    (sum.scalbn(1) + (whole(i64::from(power)) * ln_2()).value).value
}

/// A whole base to a whole power, exactly rounded by repeated squaring.
fn whole_power(base: i64, exponent: Extended) -> Option<Extended> {
    if !exponent.is_integer() {
        return None;
    }
    let exponent = nearest(wide(exponent)).filter(|exponent| exponent.abs() < 20_000)?;
    Some(rounded(multiplied(whole(base), exponent)))
}

fn multiplied(base: Quad, exponent: i64) -> Quad {
    let mut result = one();
    let mut factor = base;
    let mut left = exponent.unsigned_abs();
    while left > 0 {
        if left & 1 == 1 {
            result = (result * factor).value;
        }
        factor = (factor * factor).value;
        left >>= 1;
    }
    if exponent < 0 { (one() / result).value } else { result }
}

fn power(x: Extended, y: Extended) -> Extended {
    if y.is_zero() {
        return Extended::from_i128(1).value;
    }
    if y.is_integer()
        && let Some(exponent) = nearest(wide(y)).filter(|exponent| exponent.abs() < 100_000)
    {
        return rounded(multiplied(wide(x), exponent));
    }
    if x.is_zero() {
        return if y.is_negative() { Extended::INFINITY } else { Extended::ZERO };
    }
    if x.is_negative() {
        return -Extended::NAN;
    }
    rounded(exponential((wide(y) * logarithm(wide(x))).value))
}

#[cfg(test)]
mod tests {
    use super::super::{Alone, evaluate};

    fn value(text: &str) -> String {
        let mut out = Vec::new();
        evaluate(text.as_bytes(), &mut Alone::default(), &mut out);
        String::from_utf8(out).expect("numbers print as ASCII")
    }

    #[test]
    fn functions_agree_with_the_recorded_long_double_ones() {
        assert_eq!(value("SQRT(2)"), "1.41421356237309505");
        assert_eq!(value("EXP(1)"), "2.71828182845904524");
        assert_eq!(value("COS(3.14159265)"), "-0.999999999999999994");
        assert_eq!(value("POW(2,0.5)"), "1.41421356237309505");
        assert_eq!(value("ROUND(-2.5)"), "-3");
    }

    #[test]
    fn identities_hold_to_the_last_printed_digit() {
        assert_eq!(value("LOG(EXP(7))"), "7");
        assert_eq!(value("LOG10(1000)"), "3");
        assert_eq!(value("ATAN2(1,1)*4"), "3.14159265358979324");
        assert_eq!(value("ASIN(1)*2"), "3.14159265358979324");
        assert_eq!(value("SIN(1)*SIN(1)+COS(1)*COS(1)"), "1");
        assert_eq!(value("EXP10(-3)"), "0.001");
        assert_eq!(value("SQRT(1522756)"), "1234");
    }
}
