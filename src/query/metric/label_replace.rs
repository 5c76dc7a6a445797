//! `label_replace(v, dst, replacement, src, regex)`: a label made of parts of another one's value.

use super::series::{QUERY_BYTES_MAX, Row};
use crate::logql::{Form, LabelReplace, ParseError, Regex};
use crate::query::{Cancel, Error, ResultLabels};

/// Sets the label in every row whose source label matches; an empty text removes it.
pub(super) fn replace(expr: &LabelReplace, mut rows: Vec<Row>, cancel: &Cancel) -> Result<Vec<Row>, Error> {
    let regex = Regex::new(&expr.regex, Form::Whole)
        .map_err(|error| ParseError::Whole(format!("invalid regex in label_replace: {error}")))?;
    let mut places = regex.locations();
    let mut bytes_left = QUERY_BYTES_MAX;
    for row in &mut rows {
        cancel.check()?;
        let source = row.labels.get(&expr.source).unwrap_or("");
        if !regex.captures_at(&mut places, source, 0) {
            continue;
        }
        let mut value = String::new();
        let too_much = |_| Error::TooMuchMemory { bytes_max: QUERY_BYTES_MAX };
        regex.expand(&places, source, &expr.replacement, bytes_left, &mut value).map_err(too_much)?;
        bytes_left -= value.len();
        let others = row.labels.iter().filter(|(name, _)| *name != expr.destination);
        let replaced = Some((expr.destination.as_str(), value.as_str())).filter(|_| !value.is_empty());
        row.labels = ResultLabels::new(others.chain(replaced));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::metric::series::Point;

    #[test]
    fn the_whole_value_must_match() {
        for (source, regex, replacement, want) in [
            ("host", "n(.*)", "$1", r#"{dst="1", host="n1"}"#),
            ("host", "n(?P<number>.*)", "<${number}>", r#"{dst="<1>", host="n1"}"#),
            ("host", "n", "x", r#"{dst="old", host="n1"}"#),
            ("host", ".*", "", r#"{host="n1"}"#),
            ("nope", "", "made", r#"{dst="made", host="n1"}"#),
            ("nope", ".+", "made", r#"{dst="old", host="n1"}"#),
        ] {
            let expr = LabelReplace {
                inner: crate::logql::MetricExpr::Vector(0.0),
                destination: "dst".into(),
                replacement: replacement.into(),
                source: source.into(),
                regex: regex.into(),
            };
            let row = Row {
                labels: ResultLabels::new([("host", "n1"), ("dst", "old")]),
                points: vec![Point { step: 0, value: 1.0 }],
            };
            let replaced = replace(&expr, vec![row], &Cancel::after(std::time::Duration::MAX)).unwrap();
            assert_eq!(replaced[0].labels.to_string(), want, "{source} {regex}");
        }
    }

    /// A short replacement can name a long value many times.
    #[test]
    fn replacements_are_bounded() {
        let expr = LabelReplace {
            inner: crate::logql::MetricExpr::Vector(0.0),
            destination: "dst".into(),
            replacement: "$1".repeat(1024),
            source: "long".into(),
            regex: "(.*)".into(),
        };
        let long = "x".repeat(QUERY_BYTES_MAX / 1024);
        let row = |value: &str| Row { labels: ResultLabels::new([("long", value)]), points: Vec::new() };
        let cancel = Cancel::after(std::time::Duration::MAX);
        assert!(replace(&expr, vec![row(&long)], &cancel).is_ok());
        for rows in [vec![row(&long), row("x")], vec![row(&(long + "x"))]] {
            assert!(matches!(replace(&expr, rows, &cancel), Err(Error::TooMuchMemory { .. })));
        }
    }
}
