//! The second engine: a lazy DFA that reads a text at a steady speed whatever the expression. It
//! says only whether there is a match, and may refuse an expression or give a text back; then
//! regex-lite, which always answers, is asked.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::OnceLock;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{Config as NfaConfig, WhichCaptures};
use regex_automata::util::pool::{Pool, PoolGuard};
use regex_automata::util::syntax::Config as SyntaxConfig;
use regex_automata::{Input, MatchError, MatchKind};

use super::SIZE_BYTES_MAX;

/// What the states that one thread has built may occupy; a small machine runs several at once.
const CACHE_BYTES_MAX: usize = 512 * 1024;
/// After so many full caches on one text the expression is not for a DFA ...
const CACHE_CLEARS_MAX: usize = 4;
/// ... if it read fewer bytes than this for each state.
const BYTES_PER_STATE_MIN: usize = 10;

/// A lazy DFA that is compiled when it is first asked for: most expressions are answered without.
pub(super) struct OnDemand {
    pattern: String,
    dfa: OnceLock<Option<LazyDfa>>,
}

impl OnDemand {
    /// An expression in the syntax of `write`.
    pub(super) fn new(pattern: String) -> Self {
        Self { pattern, dfa: OnceLock::new() }
    }

    /// No DFA at all: what is matched once per stream is not worth compiling one.
    pub(super) fn never() -> Self {
        Self { pattern: String::new(), dfa: OnceLock::from(None) }
    }

    /// The DFA; `None` if the expression is not for this engine.
    pub(super) fn get(&self) -> Option<&LazyDfa> {
        self.dfa.get_or_init(|| LazyDfa::new(&self.pattern)).as_ref()
    }
}

type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// An expression and the caches of the threads that search with it.
pub(super) struct LazyDfa {
    dfa: DFA,
    caches: Pool<Cache, MakeCache>,
}

/// A cache on loan to one thread; given back when dropped.
pub(super) type CacheGuard<'r> = PoolGuard<'r, Cache, MakeCache>;

impl LazyDfa {
    /// Compiles an expression in the syntax of `write`; `None` if it is too large for this engine.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let dfa = DFA::builder()
            .syntax(SyntaxConfig::new().utf8(false))
            .thompson(
                NfaConfig::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(SIZE_BYTES_MAX)),
            )
            .configure(
                DFA::config()
                    .match_kind(MatchKind::LeftmostFirst)
                    .cache_capacity(CACHE_BYTES_MAX)
                    .minimum_cache_clear_count(Some(CACHE_CLEARS_MAX))
                    .minimum_bytes_per_state(Some(BYTES_PER_STATE_MIN)),
            )
            .build(pattern)
            .ok()?;
        let source = dfa.clone();
        let make: MakeCache = Box::new(move || source.create_cache());
        Some(Self { dfa, caches: Pool::new(make) })
    }

    /// A cache for a run of searches.
    pub(super) fn cache(&self) -> CacheGuard<'_> {
        self.caches.get()
    }

    /// The end of the match in `text[from..]` that ends first, as an offset into `text`, which must be UTF-8. The
    /// error: the engine gave up.
    pub(super) fn find_end(&self, cache: &mut Cache, text: &[u8], from: usize) -> Result<Option<usize>, MatchError> {
        let input = Input::new(text).range(from..).earliest(true);
        Ok(self.dfa.try_search_fwd(cache, &input)?.map(|found| found.offset()))
    }

    /// Whether `text`, which must be UTF-8, holds a match; `None` if the engine gave up on it.
    pub(super) fn is_match(&self, cache: &mut Cache, text: &[u8]) -> Option<bool> {
        let input = Input::new(text).earliest(true);
        self.dfa.try_search_fwd(cache, &input).ok().map(|found| found.is_some())
    }
}
