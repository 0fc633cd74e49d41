// Package held answers questions about logs and traces from what it was made with, for tests of
// those who ask. It keeps the contract of package store but for writing, which it refuses.
//
// It reads and writes nothing. Begin with Telemetry.
package held
