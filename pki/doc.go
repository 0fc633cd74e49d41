// Package pki makes certificate authorities, the certificates under them, service account
// keys, and kubeconfigs that carry them. Standard library only.
//
// Making and judging certificates is a function of values, with the time handed in: an
// Authority issues a Pair for a Leaf, and says of an existing Pair whether it will still do
// (Check) and until when (RenewAt). Keys are ECDSA P-256 from the system's random source,
// which crypto/ecdsa accepts no replacement for.
//
// Only WriteFile touches the disk. It never logs, and no error carries a key. Begin with
// NewAuthority.
package pki
