// Package system holds the system tests: stories that run the built program with three zones and real clients.
//
// Each test starts its own region in a directory of its own, on ports that are picked, and leaves no process behind;
// those that only look share one. Run them with `make system`. TRIPOD_BINARY names another program than ../bin/tripod;
// TRIPOD_KEEP=1 keeps the data directories of tests that failed. authenticator/ is a client that a story builds, in a
// module of its own.
package system
