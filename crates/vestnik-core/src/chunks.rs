//! The chunk rules of conlleval, which seqeval's default mode took over.

/// Cuts a sequence of tags into chunks by the rules of `conlleval.pl`: lenient, an orphan `I` or `E` starts
/// a chunk, a change of type starts a new one.
///
/// Letters other than `B I E S O .` have no rules of their own; only a change of type ends them.
#[derive(Debug)]
pub(crate) struct Chunker<T> {
    letter: char,
    kind: T,
    start: usize,
    position: usize,
}

impl<T: Copy + PartialEq> Chunker<T> {
    /// `kind` is the type that counts as the one before the first tag.
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
        let same = self.kind == kind;
        let ended =
            ends(self.letter, letter, same).then_some((self.start, self.position, self.kind));
        if starts(self.letter, letter, same) {
            self.start = self.position;
        }
        (self.letter, self.kind) = (letter, kind);
        self.position += 1;
        ended
    }
}

/// `end_of_chunk` of seqeval 1.2.2.
fn ends(previous: char, next: char, same_type: bool) -> bool {
    match previous {
        'E' | 'S' => true,
        'O' | '.' => false,
        'B' | 'I' => !same_type || matches!(next, 'B' | 'S' | 'O'),
        _ => !same_type,
    }
}

/// `start_of_chunk` of seqeval 1.2.2.
fn starts(previous: char, next: char, same_type: bool) -> bool {
    match next {
        'B' | 'S' => true,
        'O' | '.' => false,
        'E' | 'I' => !same_type || matches!(previous, 'E' | 'S' | 'O'),
        _ => !same_type,
    }
}
