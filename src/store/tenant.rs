//! Tenants: streams that are kept apart although they share one store. The tenant is a label of the
//! stream that only this file knows. A handle of the store for some tenants adds it, sees no other
//! streams, and hides it again, so that nothing above can mix tenants up.

use std::{borrow::Cow, sync::Arc};

use crate::labels::{LabelSet, Matcher};

/// The label of a stream's tenant; Grafana leaves it out of its lists.
pub const TENANT_LABEL: &str = "__tenant_id__";
/// Whose the streams without the label are: what was stored while there were no tenants. Loki's name for it.
pub const TENANT_DEFAULT: &str = "fake";

/// The tenants of a handle.
#[derive(Clone, Debug, Default)]
pub(super) enum Scope {
    /// There are none: every stream, with all of its labels.
    #[default]
    Everything,
    /// One; its label is hidden.
    One(Arc<str>),
    /// Several, whose label is shown.
    Several(Arc<[String]>),
}

impl Scope {
    /// These tenants, of whom there is at least one.
    pub(super) fn of(tenants: &[String]) -> Self {
        match tenants {
            [tenant] => Self::One(tenant.as_str().into()),
            tenants => Self::Several(tenants.into()),
        }
    }

    /// The label set under which a stream is stored. Several tenants have no streams in common, so
    /// their handle stores nothing of its own: what is appended to it is the first one's.
    pub(super) fn stored<'l>(&self, labels: &'l LabelSet) -> Cow<'l, LabelSet> {
        let tenant = match self {
            Self::Everything => return Cow::Borrowed(labels),
            Self::One(tenant) => &**tenant,
            Self::Several(tenants) => tenants.first().map_or(TENANT_DEFAULT, String::as_str),
        };
        let mut labels = labels.clone();
        labels.set(TENANT_LABEL, if tenant == TENANT_DEFAULT { "" } else { tenant });
        Cow::Owned(labels)
    }

    /// Whether a stored stream belongs to these tenants.
    pub(super) fn holds(&self, labels: &LabelSet) -> bool {
        let tenant = labels.get(TENANT_LABEL).unwrap_or(TENANT_DEFAULT);
        match self {
            Self::Everything => true,
            Self::One(one) => **one == *tenant,
            Self::Several(tenants) => tenants.iter().any(|one| one == tenant),
        }
    }

    /// The label set under which a stored stream is seen; `None` if it is another tenant's.
    pub(super) fn shown(&self, labels: &Arc<LabelSet>) -> Option<Arc<LabelSet>> {
        if !self.holds(labels) {
            return None;
        }
        Some(match (self, labels.get(TENANT_LABEL)) {
            (Self::One(_), Some(_)) => with_tenant(labels, ""),
            (Self::Several(_), None) => with_tenant(labels, TENANT_DEFAULT),
            (Self::Everything, _) | (Self::One(_), None) | (Self::Several(_), Some(_)) => Arc::clone(labels),
        })
    }

    /// Of these matchers those that the index of stored streams can answer, and those that ask for the
    /// tenant, which depends on what is shown.
    pub(super) fn split<'m>(&self, matchers: &'m [Matcher]) -> (Cow<'m, [Matcher]>, Vec<&'m Matcher>) {
        let asks_for_tenant = |matcher: &&Matcher| matcher.name == TENANT_LABEL;
        if matches!(self, Self::Everything) || !matchers.iter().any(|matcher| asks_for_tenant(&matcher)) {
            return (Cow::Borrowed(matchers), Vec::new());
        }
        let (of_tenant, others): (Vec<_>, Vec<_>) = matchers.iter().partition(asks_for_tenant);
        (others.into_iter().cloned().collect(), of_tenant)
    }
}

fn with_tenant(labels: &LabelSet, tenant: &str) -> Arc<LabelSet> {
    let mut labels = labels.clone();
    labels.set(TENANT_LABEL, tenant);
    Arc::new(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn scope(tenants: &[&str]) -> Scope {
        Scope::of(&tenants.iter().map(|&tenant| tenant.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_tenant_stores_only_this_tenant_sees_and_as_it_was() {
        let labels = set(&[("app", "x")]);
        for tenant in ["a", "b", TENANT_DEFAULT] {
            let stored = Arc::new(scope(&[tenant]).stored(&labels).into_owned());
            for other in ["a", "b", "c", TENANT_DEFAULT] {
                let seen = scope(&[other]).shown(&stored);
                assert_eq!(seen.as_deref(), (other == tenant).then_some(&labels), "{other} looks at {tenant}");
            }
            let shown = scope(&["a", TENANT_DEFAULT]).shown(&stored);
            let want = set(&[("app", "x"), (TENANT_LABEL, tenant)]);
            assert_eq!(shown.as_deref(), (tenant != "b").then_some(&want), "several look at {tenant}");
        }
    }

    #[test]
    fn a_client_cannot_choose_its_tenant_by_a_label() {
        let labels = set(&[(TENANT_LABEL, "b")]);
        assert_eq!(scope(&["a"]).stored(&labels).get(TENANT_LABEL), Some("a"));
        assert_eq!(scope(&[TENANT_DEFAULT]).stored(&labels).get(TENANT_LABEL), None);
        assert_eq!(Scope::Everything.stored(&labels).get(TENANT_LABEL), Some("b"));
    }
}
