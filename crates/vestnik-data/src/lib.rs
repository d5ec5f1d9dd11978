//! Readers and writers of annotated corpora and article dumps.
