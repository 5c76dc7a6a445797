//! The times at which a range query of a metric is evaluated.

const NS_PER_MS: i64 = 1_000_000;

/// Multiples of a step since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// First time, in milliseconds since 1970.
    pub start_ms: i64,
    /// Last time, inclusive.
    pub end_ms: i64,
    /// Distance of two times, above zero.
    pub step_ms: i64,
}

impl Grid {
    /// The grid that covers a range: its start rounded down and its end rounded up to the step, which
    /// is at least a millisecond.
    pub fn aligned(start_ns: i64, end_ns: i64, step_ns: i64) -> Self {
        let milliseconds = (step_ns / NS_PER_MS).max(1);
        let whole_ns = i128::from(milliseconds) * i128::from(NS_PER_MS);
        let to_ms = |steps: i128| i64::try_from(steps * i128::from(milliseconds)).unwrap_or(i64::MAX);
        Self {
            start_ms: to_ms(i128::from(start_ns).div_euclid(whole_ns)),
            end_ms: to_ms(-(-i128::from(end_ns)).div_euclid(whole_ns)),
            step_ms: milliseconds,
        }
    }

    /// Every time of the grid.
    pub fn times_ms(self) -> impl Iterator<Item = i64> {
        std::iter::successors(Some(self.start_ms), move |time| time.checked_add(self.step_ms))
            .take_while(move |time| *time <= self.end_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_aligned_outward() {
        for (start_ms, end_ms, step_ms, want) in [
            (20_000, 20_000, 10_000, vec![20_000]),
            (25_000, 25_000, 10_000, vec![20_000, 30_000]),
            (-5, 5, 10, vec![-10, 0, 10]),
            (1, 3, 0, vec![1, 2, 3]),
        ] {
            let grid = Grid::aligned(start_ms * NS_PER_MS, end_ms * NS_PER_MS, step_ms * NS_PER_MS);
            assert_eq!(grid.times_ms().collect::<Vec<_>>(), want, "{start_ms} to {end_ms} by {step_ms}");
        }
    }
}
