//! One file under a followed name: the live one, or one that a rotation moved away and that still has
//! something to give. Knows how far it was read and proves at each read that this text is still there.

use std::{
    fs::File,
    io,
    num::NonZeroU64,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::Advice;

use super::{
    Job, StartAt,
    identity::{ANCHOR_BYTES_MAX, HEAD_BYTES_MAX, Mark, Observed, Progress, Verdict, verdict},
    lines::{Cutting, End, Framing, LineCounts, LineState, Piece},
    meta::{FileId, Meta},
    positions::{BootId, Key, Position},
    sieve::{self, Content},
};

/// Bytes that one turn reads of one file, so that no file waits long for another.
pub(super) const QUANTUM: usize = 256 * 1024;
/// Behind the position of a file with more to read than this, the page cache is given back: catching
/// up must not push the host's programs out of memory.
const CACHE_BYTES_KEPT: u64 = 8 * 1024 * 1024;

/// Where a file is, seen from the name under which it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The name leads to it.
    Named,
    /// The name leads elsewhere or nowhere; its writer may not have noticed yet.
    Rotated {
        /// When that was seen.
        since: Duration,
        /// Nothing will be appended: it is a copy made before a truncation.
        complete: bool,
    },
    /// Rotated and read to its end. Known only so that it is not taken for a new file.
    Finished,
    /// Known from a stored position, not looked for yet.
    Unknown,
    /// Looked for and not found.
    Missing,
}

/// Where reading of a new file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    /// Behind the last newline.
    End,
    /// So many bytes before the end, behind the next newline.
    Last(u64),
}

impl Start {
    /// What a job wants for files that are there when it runs for the first time.
    pub(super) fn first_run(job: &Job) -> Self {
        match (job.start_at, job.backlog_limit) {
            (StartAt::End, _) => Self::End,
            (StartAt::Beginning, Some(bytes)) => Self::Last(bytes),
            (StartAt::Beginning, None) => Self::Beginning,
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All that is there was read, but perhaps for a last line without newline.
    AtEnd,
    /// There is more.
    More,
    /// The text that was read is not there any more.
    Truncated,
    /// It is no text.
    Binary,
    /// Another file of the same name has to be read before this one.
    Rearranged,
}

/// Buffers that all files share; between reads no file holds any.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    bytes: Vec<u8>,
    scratch: Vec<u8>,
}

/// Takes each line, where in the file it begins and what was before it, and the time of the file's last change.
pub(super) type Emit<'e> = dyn FnMut(&[u8], Piece, (u64, LineState), i64) + 'e;

/// How a file is to be read.
pub(super) struct Reading<'a> {
    pub(super) path: &'a Path,
    pub(super) job: &'a Job,
    pub(super) framing: Framing,
    pub(super) now: Duration,
    pub(super) buffers: &'a mut Buffers,
    pub(super) counts: &'a mut LineCounts,
    pub(super) emit: &'a mut Emit<'a>,
}

/// One file.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own; no combination is excluded")]
pub(super) struct Generation {
    /// Key of its stored position; unique for the life of the store.
    pub(super) number: u64,
    pub(super) id: FileId,
    /// Boot in which the id's device number is valid.
    pub(super) boot: BootId,
    pub(super) progress: Progress,
    pub(super) state: LineState,
    /// Where the oldest line begins of which a stage holds something: a restart reads from there.
    held: Option<(Progress, LineState)>,
    /// What comes out of lines that begin before this was stored already.
    pub(super) stored_to: u64,
    pub(super) content: Content,
    pub(super) start: Start,
    /// Size when it was last looked at, and before that.
    pub(super) size: u64,
    pub(super) size_before: u64,
    /// Its last change, as of these two looks.
    pub(super) modified_ns: i64,
    pub(super) modified_before_ns: i64,
    /// While nothing was read of it: its last change when no copy of it was beside it that was not known.
    pub(super) copies_seen_ns: i64,
    /// Where it was seen, if not where its name leads.
    pub(super) elsewhere: Option<PathBuf>,
    pub(super) file: Option<File>,
    pub(super) place: Place,
    /// It was read since it was rotated. If its text is gone then, something else overwrote it.
    pub(super) read_since_rotated: bool,
    pub(super) gone_since_ns: Option<i64>,
    /// When it was last seen to grow.
    pub(super) grown_at: Duration,
    /// The last line without newline cannot be stored until it grows.
    pub(super) fragment_tried: bool,
    /// Its last name is gone.
    pub(super) unlinked: bool,
    /// What was read of it was made durable since its last name was gone.
    pub(super) committed_unlinked: bool,
    /// It has to be looked at: it may have grown, or has to be opened.
    pub(super) awake: bool,
    /// The position differs from the stored one.
    pub(super) moved: bool,
    /// The store has a position of it.
    pub(super) stored: bool,
    /// Up to where it held nothing but zeros when it was last asked.
    zeros_to: u64,
    /// Up to where the page cache was given back.
    uncached_to: u64,
    /// When to look at it next and how often, where no watch tells.
    pub(super) poll: Option<(Duration, Duration)>,
}

impl Generation {
    /// A file that was never read.
    pub(super) fn new(number: u64, meta: &Meta, boot: BootId, place: Place, start: Start, now: Duration) -> Self {
        Self {
            number,
            id: meta.id,
            boot,
            progress: Progress::START,
            state: LineState::Start,
            held: None,
            stored_to: 0,
            content: Content::UNKNOWN,
            start,
            size: meta.size,
            size_before: 0,
            modified_ns: meta.modified_ns,
            modified_before_ns: meta.modified_ns,
            copies_seen_ns: meta.modified_ns,
            elsewhere: None,
            file: None,
            place,
            read_since_rotated: false,
            gone_since_ns: None,
            grown_at: now,
            fragment_tried: false,
            unlinked: false,
            committed_unlinked: false,
            awake: true,
            moved: false,
            stored: false,
            zeros_to: 0,
            uncached_to: 0,
            poll: None,
        }
    }

    /// A file of which a position was stored. `pipeline` is the job's now.
    pub(super) fn stored(number: u64, position: &Position, pipeline: u64, now: Duration) -> Self {
        Self {
            number,
            id: position.id,
            boot: position.boot,
            progress: position.progress,
            state: position.state,
            held: None,
            stored_to: if position.pipeline == pipeline { position.stored_to } else { 0 },
            content: Content::UNKNOWN,
            start: Start::Beginning,
            size: position.size,
            size_before: position.size,
            modified_ns: position.modified_ns,
            modified_before_ns: position.modified_ns,
            copies_seen_ns: position.modified_ns,
            elsewhere: None,
            file: None,
            place: Place::Unknown,
            read_since_rotated: position.rotated,
            gone_since_ns: position.gone_since_ns,
            grown_at: now,
            fragment_tried: false,
            unlinked: false,
            committed_unlinked: false,
            awake: true,
            moved: false,
            stored: true,
            zeros_to: 0,
            uncached_to: 0,
            poll: None,
        }
    }

    /// The key and the value to be stored.
    pub(super) fn position(&self, scope: &str, path: &Path, pipeline: u64) -> (Vec<u8>, Option<Vec<u8>>) {
        let (progress, state) = self.held.unwrap_or((self.progress, self.state));
        let stored_to = self.stored_to.max(self.progress.position);
        let position = Position {
            boot: self.boot,
            id: self.id,
            progress,
            state,
            stored_to: if stored_to > progress.position { stored_to } else { 0 },
            pipeline,
            rotated: self.read_since_rotated,
            size: self.size,
            modified_ns: self.modified_ns,
            gone_since_ns: self.gone_since_ns,
            scope: scope.to_owned(),
            path: PathBuf::from(path),
        };
        (Key::File(self.number).encode(), Some(position.encode()))
    }

    /// Notes where the oldest line begins of which a stage holds something. Returns whether that changed.
    pub(super) fn hold(&mut self, place: Option<(u64, LineState)>) -> bool {
        if self.held.map(|(progress, _)| progress.position) == place.map(|(offset, _)| offset) {
            return false;
        }
        // If the file cannot be read any more, what is held is stored once it comes out, or not at all.
        let held = place.zip(self.file.as_ref());
        self.held = held.and_then(|((offset, state), file)| Some((Progress::at(file, offset).ok()?, state)));
        true
    }

    /// Goes back to what is held: other stages are to see it. All that came out since then comes out again.
    pub(super) fn go_back(&mut self) {
        if let Some((progress, state)) = self.held.take() {
            (self.progress, self.state) = (progress, state);
            (self.moved, self.awake) = (true, true);
        }
        self.stored_to = 0;
    }

    /// Whether some file is this one.
    pub(super) fn is(&self, id: &FileId, boot: &BootId) -> bool {
        self.id.is(id, self.boot == *boot)
    }

    /// Birth time or, without one, the time of the last change: see [`Meta::age_key_ns`].
    pub(super) fn age_key_ns(&self) -> i64 {
        self.id.birth_ns.unwrap_or(self.modified_ns)
    }

    /// Bytes that were seen and not read, but for zeros in front of all text.
    pub(super) fn lag(&self) -> u64 {
        self.size.saturating_sub(self.progress.position.max(self.zeros_to))
    }

    /// Takes an opened file for this generation, if it is the same. What it is instead is for the caller.
    pub(super) fn adopt(&mut self, file: File, boot: &BootId, now: Duration) -> io::Result<Verdict> {
        let meta = Meta::of_file(&file)?;
        let (head, anchor) = self.progress.compare(&file, meta.size)?;
        let observed = Observed { id: meta.id, size: meta.size, head, anchor, old_is_elsewhere: false };
        let verdict = verdict(&self.id, &self.progress, self.boot == *boot, &observed);
        match verdict {
            Verdict::Same | Verdict::Truncated => {}
            Verdict::TailLost => {
                self.progress = Progress::at(&file, meta.size)?;
                self.moved = true;
            }
            Verdict::Rotated | Verdict::Copied | Verdict::Replaced => return Ok(verdict),
        }
        self.stored_to = self.stored_to.min(meta.size);
        if meta.size.saturating_sub(self.progress.position) > CACHE_BYTES_KEPT {
            let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        }
        (self.id, self.boot) = (meta.id, *boot);
        self.look(&meta, now);
        self.file = Some(file);
        Ok(verdict)
    }

    /// Notes what `stat` says.
    pub(super) fn look(&mut self, meta: &Meta, now: Duration) {
        if meta.size != self.size {
            self.grown_at = now;
            self.fragment_tried = false;
        }
        self.size_before = self.size;
        self.size = meta.size;
        self.modified_before_ns = self.modified_ns;
        self.modified_ns = meta.modified_ns;
        self.unlinked = meta.links == 0;
    }

    /// Begins again at the first byte, after a truncation.
    pub(super) fn restart(&mut self, now: Duration) {
        self.progress = Progress::START;
        self.state = LineState::Start;
        self.held = None;
        self.stored_to = 0;
        self.content = Content::UNKNOWN;
        self.start = Start::Beginning;
        self.size = 0;
        self.size_before = 0;
        self.copies_seen_ns = self.modified_ns;
        self.zeros_to = 0;
        self.uncached_to = 0;
        self.grown_at = now;
        self.fragment_tried = false;
        self.moved = true;
    }

    /// Reads at most one quantum. `end` says what becomes of a last line without newline.
    pub(super) fn read(&mut self, end: End, reading: &mut Reading<'_>) -> io::Result<Outcome> {
        let Some(file) = self.file.take() else {
            return Ok(Outcome::AtEnd);
        };
        let outcome = self.read_from(&file, end, reading);
        self.file = Some(file);
        outcome
    }

    fn read_from(&mut self, file: &File, end: End, reading: &mut Reading<'_>) -> io::Result<Outcome> {
        let meta = Meta::of_file(file)?;
        self.look(&meta, reading.now);
        if meta.size < self.progress.position {
            return Ok(Outcome::Truncated);
        }
        if let Some(outcome) = self.judge(file, &meta, reading)? {
            return Ok(outcome);
        }
        let Content::Text { charset, .. } = self.content else {
            return Ok(Outcome::AtEnd);
        };
        reading.framing.charset = charset;
        // Each read begins with the bytes of the anchor: with the head they show that what was read is
        // still there.
        if !self.progress.head_is_in(file)? {
            return Ok(Outcome::Truncated);
        }
        let back = usize::from(self.progress.anchor.len);
        let from = self.progress.position - back as u64;
        let mut wanted = back + QUANTUM;
        let mut len = fill(file, &mut reading.buffers.bytes, 0, wanted, from)?;
        if len < back || !self.progress.anchor.is_of(&reading.buffers.bytes[..back]) {
            return Ok(Outcome::Truncated);
        }
        if len == wanted && self.state == LineState::Start && all_zero(&reading.buffers.bytes[back..len]) {
            return self.skip_zeros(file, from + len as u64, reading.counts);
        }
        let mut done = self.cut(back, len, if len < wanted { end } else { End::Open }, reading);
        if done == 0 && len == wanted {
            // Not one line in a whole quantum: take as much as shows that the line is too long.
            wanted = back + 2 * reading.framing.fragment_bytes_max() + ANCHOR_BYTES_MAX;
            len = fill(file, &mut reading.buffers.bytes, len, wanted, from)?;
            done = self.cut(back, len, if len < wanted { end } else { End::Open }, reading);
        }
        let bytes = &reading.buffers.bytes;
        if done > 0 {
            self.progress.head.extend(&bytes[back..back + done], HEAD_BYTES_MAX);
            self.progress.anchor = Mark::of(&bytes[(back + done).saturating_sub(ANCHOR_BYTES_MAX)..back + done]);
            self.progress.position += done as u64;
            self.moved = true;
            self.give_back_cache(file);
        }
        self.size = self.size.max(from + len as u64);
        reading.buffers.bytes.truncate(QUANTUM + ANCHOR_BYTES_MAX);
        reading.buffers.bytes.shrink_to(QUANTUM + ANCHOR_BYTES_MAX);
        Ok(if len < wanted { Outcome::AtEnd } else { Outcome::More })
    }

    fn cut(&mut self, back: usize, len: usize, end: End, reading: &mut Reading<'_>) -> usize {
        let (modified_ns, position) = (self.modified_ns, self.progress.position);
        let emit = &mut *reading.emit;
        let mut cutting = Cutting {
            scratch: &mut reading.buffers.scratch,
            counts: reading.counts,
            line_start: (0, self.state),
            emit: &mut |line, piece, (at, state)| emit(line, piece, (position + at as u64, state), modified_ns),
        };
        reading.framing.cut(&mut self.state, &reading.buffers.bytes[back..len], end, &mut cutting)
    }

    /// Asks, until it is known, what the file holds; then finds where its text begins. `Some` if there is
    /// nothing to read now.
    fn judge(&mut self, file: &File, meta: &Meta, reading: &mut Reading<'_>) -> io::Result<Option<Outcome>> {
        let Content::Undecided { from } = self.content else {
            return Ok(None);
        };
        if meta.size <= from {
            return Ok(Some(Outcome::AtEnd));
        }
        let job = reading.job;
        self.content = sieve::examine(file, meta, reading.path, job.encoding, job.binary_as_text, from)?;
        match self.content {
            Content::Binary { .. } => Ok(Some(Outcome::Binary)),
            Content::Undecided { from: to } => {
                let more = to > from && to < meta.size;
                self.zeros_to = if more { to } else { meta.size };
                Ok(Some(if more { Outcome::More } else { Outcome::AtEnd }))
            }
            Content::Text { start, charset } => {
                if self.progress.position == 0 {
                    if start > 3 {
                        reading.counts.zero_bytes += start;
                    }
                    let unit = charset.unit() as u64;
                    let position = match self.start {
                        Start::Beginning => start,
                        Start::Last(bytes) if meta.size - start <= bytes => start,
                        Start::Last(bytes) => {
                            self.state = LineState::Skipping;
                            start + (meta.size - bytes - start) / unit * unit
                        }
                        Start::End => self.last_line_start(file, meta.size, start, charset, reading)?,
                    };
                    if position > 0 {
                        self.progress = Progress::at(file, position)?;
                        self.moved = true;
                    }
                }
                Ok(None)
            }
        }
    }

    /// Where the last line begins; of a line that is longer than a quantum the rest is skipped.
    fn last_line_start(
        &mut self,
        file: &File,
        size: u64,
        start: u64,
        charset: super::decode::Charset,
        reading: &mut Reading<'_>,
    ) -> io::Result<u64> {
        let unit = charset.unit() as u64;
        let from = start.max(start + (size.saturating_sub(QUANTUM as u64).saturating_sub(start)) / unit * unit);
        let len = fill(file, &mut reading.buffers.bytes, 0, QUANTUM, from)?;
        let bytes = &reading.buffers.bytes[..len];
        let mut last = None;
        while let Some(at) = charset.newline(&bytes[last.unwrap_or(0)..]) {
            last = Some(last.unwrap_or(0) + at + charset.unit());
        }
        if last.is_none() && from > start {
            self.state = LineState::Skipping;
        }
        Ok(from + last.unwrap_or(0) as u64)
    }

    /// Zero bytes at the start of a line are no text. A hole is jumped over without reading it.
    fn skip_zeros(&mut self, file: &File, to: u64, counts: &mut LineCounts) -> io::Result<Outcome> {
        let Some(data) = sieve::next_data(file, to)? else {
            return Ok(Outcome::AtEnd);
        };
        let data = data - data % 2; // a character of UTF-16 begins on an even byte
        counts.zero_bytes += data - self.progress.position;
        self.progress = Progress::at(file, data)?;
        self.moved = true;
        Ok(Outcome::More)
    }

    fn give_back_cache(&mut self, file: &File) {
        if self.lag() > CACHE_BYTES_KEPT && self.progress.position - self.uncached_to >= CACHE_BYTES_KEPT / 8 {
            let len = NonZeroU64::new(self.progress.position - self.uncached_to);
            let _ = rustix::fs::fadvise(file, self.uncached_to, len, Advice::DontNeed);
            self.uncached_to = self.progress.position;
        }
    }
}

/// Reads into `buffer[have..wanted]` what lies in the file from `from + have` on; returns how much of the
/// buffer is filled, less than `wanted` only at the end of the file.
fn fill(file: &File, buffer: &mut Vec<u8>, have: usize, wanted: usize, from: u64) -> io::Result<usize> {
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    let mut len = have;
    while len < wanted {
        match file.read_at(&mut buffer[len..wanted], from + len as u64) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

fn all_zero(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|chunk| chunk.iter().all(|byte| *byte == 0))
}
