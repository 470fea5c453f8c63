package process

import "syscall"

// duplicate makes the descriptor to another name of the file of from.
func duplicate(from, to int) error { return syscall.Dup3(from, to, 0) }
