//! Where the accounts of a provider lie: databases, directories and services behind one trait.
