//! `/loki/api/v1/detected_labels`: the labels that are worth choosing by. Those whose values are all
//! numbers or ids are left out.

use std::collections::BTreeSet;

use super::{
    Api,
    call::Call,
    error::Error,
    json,
    labels::{matching, names_of, values_of},
    reply::Reply,
};

/// Labels that are shown whatever their values are.
const ALWAYS: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let streams = matching(api, call)?;
    let mut out = b"{".to_vec();
    for name in names_of(&streams) {
        let values = values_of(&streams, name);
        if !ALWAYS.contains(&name) && are_ids(&values) {
            continue;
        }
        out.extend_from_slice(if out.len() > 1 { b",{\"label\":" } else { b"\"detectedLabels\":[{\"label\":" });
        json::string(&mut out, name);
        out.extend_from_slice(format!(",\"cardinality\":{}}}", values.len()).as_bytes());
    }
    out.extend_from_slice(if out.len() > 1 { b"]}" } else { b"}" });
    Ok(Reply::json(out))
}

/// Whether all values are numbers or UUIDs; 0 and 1 alone are a choice.
fn are_ids(values: &BTreeSet<&str>) -> bool {
    let is_choice = values.iter().all(|value| matches!(*value, "0" | "1"));
    !is_choice && values.iter().all(|value| value.parse::<f64>().is_ok() || is_uuid(value))
}

/// `5b8efff7-9803-8103-d269-b633813fc60c`, or without the dashes.
fn is_uuid(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.len() {
        32 => is_hex(text),
        36 => text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hex),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_uuids_are_ids() {
        for (values, want) in [
            (&["1", "2"][..], true),
            (&["1", "0"], false),
            (&["1.5e3", "-7"], true),
            (&["1", "a"], false),
            (&["5b8efff7-9803-8103-d269-b633813fc60c", "5b8efff798038103d269b633813fc60c", "7"], true),
            (&["5b8efff7-9803-8103-d269-b633813fc60x"], false),
            (&["5b8efff-79803-8103-d269-b633813fc60c"], false),
        ] {
            assert_eq!(are_ids(&values.iter().copied().collect()), want, "{values:?}");
        }
    }
}
