// Command tripod is a local Amazon EKS: see 'tripod --help'.
package main

import (
	"context"
	"io"
	"os"

	"tripod/internal/cli"
)

func main() {
	err := run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)
	os.Exit(cli.Report(os.Stderr, err))
}

// run is the program without its exit: args begin with its name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	streams := cli.IO{Stdin: stdin, Stdout: stdout, Stderr: stderr, Environ: os.Environ()}
	return cli.Main(ctx, args, streams, programs())
}
