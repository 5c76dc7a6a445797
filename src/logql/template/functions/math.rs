//! Functions on numbers. Texts are read as numbers, and are 0 where that fails.

use super::super::super::literal::parse_float;
use super::super::lexer::parse_int;
use super::super::value::Value;
use super::{Function, Outcome, between, exactly};

const MANY: usize = usize::MAX;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly(1, "int", |_, a| Ok(Value::Int(to_int(&a[0])))),
    exactly(1, "float64", |_, a| Ok(Value::Float(to_float(&a[0])))),
    between(0, MANY, "add", |_, a| Ok(Value::Int(a.iter().map(to_int).fold(0, i64::wrapping_add)))),
    exactly(2, "sub", |_, a| Ok(Value::Int(to_int(&a[0]).wrapping_sub(to_int(&a[1]))))),
    between(1, MANY, "mul", |_, a| Ok(Value::Int(a.iter().map(to_int).fold(1, i64::wrapping_mul)))),
    exactly(2, "div", |_, a| divided(&a[0], &a[1], i64::wrapping_div)),
    exactly(2, "mod", |_, a| divided(&a[0], &a[1], i64::wrapping_rem)),
    between(1, MANY, "max", |_, a| Ok(Value::Int(a.iter().map(to_int).max().unwrap_or(0)))),
    between(1, MANY, "min", |_, a| Ok(Value::Int(a.iter().map(to_int).min().unwrap_or(0)))),
    between(0, MANY, "addf", |_, a| Ok(decimal(0.0, a, |x, y| x.plus(y, 1), |x, y| x + y))),
    between(1, MANY, "subf", |_, a| Ok(decimal(to_float(&a[0]), &a[1..], |x, y| x.plus(y, -1), |x, y| x - y))),
    between(1, MANY, "mulf", |_, a| Ok(decimal(to_float(&a[0]), &a[1..], Decimal::times, |x, y| x * y))),
    between(1, MANY, "divf", |_, a| {
        if a[1..].iter().any(|value| to_float(value) == 0.0) {
            return Err("decimal division by 0".to_owned());
        }
        Ok(decimal(to_float(&a[0]), &a[1..], Decimal::over, |x, y| x / y))
    }),
    between(1, MANY, "maxf", |_, a| Ok(Value::Float(a.iter().map(to_float).fold(f64::NEG_INFINITY, f64::max)))),
    between(1, MANY, "minf", |_, a| Ok(Value::Float(a.iter().map(to_float).fold(f64::INFINITY, f64::min)))),
    exactly(1, "ceil", |_, a| Ok(Value::Float(to_float(&a[0]).ceil()))),
    exactly(1, "floor", |_, a| Ok(Value::Float(to_float(&a[0]).floor()))),
    between(2, 3, "round", |_, a| {
        Ok(Value::Float(round(to_float(&a[0]), to_float(&a[1]), a.get(2).map_or(0.5, to_float))))
    }),
];

/// Any value as a whole number.
pub(super) fn to_int(value: &Value<'_>) -> i64 {
    match value {
        Value::Int(value) => *value,
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is as good as what Go does")]
        Value::Float(value) => *value as i64,
        Value::Bool(value) => i64::from(*value),
        Value::Text(text) => {
            let whole = match text.split_once('.') {
                Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
                _ => text,
            };
            parse_int(whole).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Any value as a number.
pub(super) fn to_float(value: &Value<'_>) -> f64 {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "floating point is what is asked for")]
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Text(text) => parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

fn divided<'c>(left: &Value<'c>, right: &Value<'c>, divide: fn(i64, i64) -> i64) -> Outcome<'c> {
    match to_int(right) {
        0 => Err("runtime error: integer divide by zero".to_owned()),
        right => Ok(Value::Int(divide(to_int(left), right))),
    }
}

/// Rounds to `places` decimal places: up if the fraction is at least `on`, else down, towards -∞.
fn round(value: f64, places: f64, on: f64) -> f64 {
    let scale = 10.0_f64.powf(places);
    let scaled = value * scale;
    let rounded = if scaled.fract() >= on { scaled.ceil() } else { scaled.floor() };
    rounded / scale
}

/// A decimal number, `mantissa / 10^scale`, exact as long as it fits.
#[derive(Clone, Copy)]
struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Digits behind the point that a division keeps.
const DIVISION_DIGITS: u32 = 16;

impl Decimal {
    /// The number that `value` prints as.
    fn new(value: f64) -> Option<Self> {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e')?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()? - exponent.parse::<i32>().ok()?;
        if scale < 0 {
            let mantissa = mantissa.checked_mul(10_i128.checked_pow(scale.unsigned_abs())?)?;
            return Some(Self { mantissa, scale: 0 });
        }
        Some(Self { mantissa, scale: scale.unsigned_abs() })
    }

    fn at_scale(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(10_i128.checked_pow(scale - self.scale)?)
    }

    fn plus(self, other: Self, sign: i128) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let mantissa = self.at_scale(scale)?.checked_add(other.at_scale(scale)?.checked_mul(sign)?)?;
        Some(Self { mantissa, scale })
    }

    fn times(self, other: Self) -> Option<Self> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(Self { mantissa, scale: self.scale.checked_add(other.scale)? })
    }

    /// The quotient, rounded half away from zero.
    fn over(self, other: Self) -> Option<Self> {
        let raise = (DIVISION_DIGITS + other.scale).checked_sub(self.scale)?;
        let numerator = self.mantissa.checked_mul(10_i128.checked_pow(raise)?)?;
        let (quotient, rest) = (numerator.checked_div(other.mantissa)?, numerator.checked_rem(other.mantissa)?);
        let up = rest.unsigned_abs() * 2 >= other.mantissa.unsigned_abs();
        let away = if (numerator < 0) == (other.mantissa < 0) { 1 } else { -1 };
        Some(Self { mantissa: quotient + if up { away } else { 0 }, scale: DIVISION_DIGITS })
    }

    fn value(self) -> Option<f64> {
        format!("{}e-{}", self.mantissa, self.scale).parse().ok()
    }
}

/// Folds `values` with decimal arithmetic, or in floating point where a number does not fit.
fn decimal<'c>(
    first: f64,
    values: &[Value<'c>],
    exact: impl Fn(Decimal, Decimal) -> Option<Decimal>,
    float: impl Fn(f64, f64) -> f64,
) -> Value<'c> {
    let combine = |left: f64, right: f64| {
        let exactly = || exact(Decimal::new(left)?, Decimal::new(right)?)?.value();
        exactly().unwrap_or_else(|| float(left, right))
    };
    Value::Float(values.iter().map(to_float).fold(first, combine))
}
