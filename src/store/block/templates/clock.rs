//! Columns that repeat the time of their entries: where the time stamp was read from the line, its seconds or
//! milliseconds stand in both. Such a column takes no place at all.

use super::{
    super::super::codec::{Malformed, Reader, parse_decimal, put_u64},
    split::{DIGIT, Slot},
};

/// A part of a time as logs write it: whole units, modulo something, in so many digits.
struct Part {
    unit_ns: i64,
    modulus: i64,
    digits: usize,
}

const fn part(unit_ns: i64, modulus: i64, digits: usize) -> Part {
    Part { unit_ns, modulus, digits }
}

/// By their number on the disk.
static PARTS: [Part; 10] = [
    part(1_000_000_000, 60, 2),
    part(60_000_000_000, 60, 2),
    part(3_600_000_000_000, 24, 2),
    part(1_000_000, 1000, 3),
    part(1000, 1_000_000, 6),
    part(1, 1_000_000_000, 9),
    part(1_000_000_000, 10_i64.pow(10), 10),
    part(1_000_000, 10_i64.pow(13), 13),
    part(1000, 10_i64.pow(16), 16),
    part(1, i64::MAX, 19),
];

/// How the values of a column follow from the times of their entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    number: u8,
    /// What is added to the units since 1970: the line may have the time of another zone.
    ahead: u64,
}

impl Clock {
    /// The clock that shows all values of a column at the times of their entries, if there is one.
    pub(super) fn of(text: &[u8], column: &[Slot], times_ns: &(impl Iterator<Item = i64> + Clone)) -> Option<Self> {
        let first = column.first().filter(|slot| slot.kinds() == DIGIT)?;
        let first_ns = times_ns.clone().next()?;
        let parts = PARTS.iter().zip(0..).filter(|(part, _)| part.digits == first.len());
        parts
            .map(|(part, number)| {
                let modulus = part.modulus.cast_unsigned();
                let shown = Self { number, ahead: 0 }.at(first_ns);
                Self { number, ahead: (parse_decimal(first.of(text)) % modulus + modulus - shown) % modulus }
            })
            .find(|clock| {
                let mut values = column.iter().zip(times_ns.clone());
                values.all(|(slot, time_ns)| {
                    slot.kinds() == DIGIT
                        && slot.len() == first.len()
                        && parse_decimal(slot.of(text)) == clock.at(time_ns)
                })
            })
    }

    /// What it shows at a time.
    #[inline]
    pub(super) fn at(self, time_ns: i64) -> u64 {
        let part = &PARTS[usize::from(self.number)];
        let units = time_ns.div_euclid(part.unit_ns).rem_euclid(part.modulus).cast_unsigned();
        (units + self.ahead) % part.modulus.cast_unsigned()
    }

    /// Digits of what it shows.
    pub(super) fn digits(self) -> usize {
        PARTS[usize::from(self.number)].digits
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        out.push(self.number);
        put_u64(out, self.ahead);
    }

    /// Reads what [`Clock::put`] wrote.
    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (number, ahead) = (reader.u8()?, reader.u64()?);
        if PARTS.get(usize::from(number)).is_none_or(|part| ahead >= part.modulus.cast_unsigned()) {
            return Err(Malformed("clock of an unknown kind"));
        }
        Ok(Self { number, ahead })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_of(values: &[(&str, i64)]) -> Option<Clock> {
        let text: String = values.iter().map(|(value, _)| *value).collect();
        let mut start = 0;
        let column: Vec<Slot> = values
            .iter()
            .map(|(value, _)| {
                start += value.len();
                Slot::new(start - value.len(), value.len(), DIGIT)
            })
            .collect();
        let clock = Clock::of(text.as_bytes(), &column, &values.iter().map(|(_, time_ns)| *time_ns));
        if let Some(clock) = clock {
            let mut bytes = Vec::new();
            clock.put(&mut bytes);
            assert_eq!(Clock::take(&mut Reader::new(&bytes)), Ok(clock));
        }
        clock
    }

    #[test]
    fn parts_of_a_time_are_recognised_in_any_zone() {
        let second = 1_000_000_000;
        let minute = 60 * second;
        let hour = 60 * minute;
        for (values, number) in [
            (&[("07", 7 * second), ("59", 59 * second + 1), ("00", minute)][..], Some(0)),
            (&[("30", 0), ("31", minute), ("00", 30 * minute + 5)], Some(1)),
            (&[("23", 0), ("00", hour), ("22", -1)], Some(2)),
            (&[("007", 7_000_000), ("999", -1)], Some(3)),
            (&[("000001", 1000), ("000002", 2999)], Some(4)),
            (&[("000000001", 1), ("999999999", second - 1)], Some(5)),
            (&[("1767607200", 1_767_607_200 * second), ("1767607201", 1_767_607_201 * second)], Some(6)),
            (&[("1767607200123", 1_767_607_200_123_000_000), ("1767607200124", 1_767_607_200_124_000_000)], Some(7)),
            (&[("07", 7 * second), ("09", 8 * second)], None),
            (&[("7", 7 * second), ("8", 8 * second)], None),
            (&[("07", 7 * second), ("8", 8 * second)], None),
            (&[("61", 0), ("62", second)], None),
        ] {
            assert_eq!(clock_of(values).map(|clock| clock.number), number, "{values:?}");
        }
        let zone = clock_of(&[("23", 0), ("00", hour)]).unwrap();
        assert_eq!((zone.ahead, zone.digits()), (23, 2));
    }

    #[test]
    fn what_is_no_clock_is_malformed() {
        for bytes in [&[10, 0][..], &[0, 60], &[0], &[]] {
            assert!(Clock::take(&mut Reader::new(bytes)).is_err(), "{bytes:?}");
        }
    }
}
