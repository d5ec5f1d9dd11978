//! The rules by which conlleval, and seqeval's default mode after it, cut tags into chunks.

/// Cuts a sequence of tags into chunks by the rules of `conlleval.pl`.
///
/// The rules are lenient: `I` and `E` that continue nothing start a chunk, and a change of type
/// ends one chunk and starts the next. Letters other than `B I E S O .` have no rules but the one
/// about types, as in seqeval.
///
/// Tags go in one by one with [`Chunker::push`]; an `O` behind the last one brings out the last
/// chunk.
#[derive(Debug)]
pub(crate) struct Chunker<T> {
    letter: char,
    kind: T,
    /// First tag of the current chunk.
    start: usize,
    /// Number of tags so far.
    position: usize,
}

impl<T: Copy + PartialEq> Chunker<T> {
    /// `kind` stands for the type before the first tag.
    pub(crate) fn new(kind: T) -> Self {
        Self {
            letter: 'O',
            kind,
            start: 0,
            position: 0,
        }
    }

    /// Takes the next tag and gives the chunk that ends before it: start, end (exclusive), type.
    pub(crate) fn push(&mut self, letter: char, kind: T) -> Option<(usize, usize, T)> {
        let same_type = self.kind == kind;
        let ended = ends(self.letter, letter, same_type);
        let chunk = ended.then_some((self.start, self.position, self.kind));
        if starts(self.letter, letter, same_type) {
            self.start = self.position;
        }
        (self.letter, self.kind) = (letter, kind);
        self.position += 1;
        chunk
    }
}

/// Whether a chunk ends between two tags: `endOfChunk` of conlleval.pl, `end_of_chunk` of seqeval
/// 1.2.2.
fn ends(previous: char, next: char, same_type: bool) -> bool {
    match previous {
        'E' | 'S' => true,
        'O' | '.' => false,
        'B' | 'I' => !same_type || matches!(next, 'B' | 'S' | 'O'),
        _ => !same_type,
    }
}

/// Whether a chunk starts between two tags: `startOfChunk` of conlleval.pl, `start_of_chunk` of
/// seqeval 1.2.2.
fn starts(previous: char, next: char, same_type: bool) -> bool {
    match next {
        'B' | 'S' => true,
        'O' | '.' => false,
        'E' | 'I' => !same_type || matches!(previous, 'E' | 'S' | 'O'),
        _ => !same_type,
    }
}
