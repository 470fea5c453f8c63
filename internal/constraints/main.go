// Command constraints writes the table of what a service's model asks of its inputs' values: required members, enums,
// lengths, ranges, patterns.
//
// The AWS SDK for Go publishes its schemas without them, so they come from two places: botocore's model of the service
// (a JSON file, also compressed), and for what that does not have yet, the SDK's own source: its validators know
// required members, its types enums. The sources are flags, and the table is checked in, so that neither a build nor CI
// needs them.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "constraints:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("constraints", flag.ContinueOnError)
	flags.SetOutput(stderr)
	modelPath := flags.String("model", "", "botocore's service-2.json or service-2.json.gz of the service")
	sdkPath := flags.String("sdk", "", "the directory of the SDK's package for the service")
	query := flags.Bool("query", false, "write the model of a service of the query protocol: of the SDK nothing is "+
		"needed then")
	schemas := flags.Bool("schemas", false, "write the schemas of a REST service's inputs, for an SDK that has published none")
	variable := flags.String("var", "model", "with -query the variable's name")
	packageName := flags.String("package", "", "the table's package")
	out := flags.String("out", "", "the file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	m, err := readModel(*modelPath)
	if err != nil {
		return fmt.Errorf("read the model: %w", err)
	}
	if *schemas {
		text, err := schemaTable(*packageName, m)
		if err != nil {
			return fmt.Errorf("write the schemas: %w", err)
		}
		return os.WriteFile(*out, text, 0o644)
	}
	if *query {
		text, err := queryTable(*packageName, *variable, m)
		if err != nil {
			return fmt.Errorf("write the model: %w", err)
		}
		return os.WriteFile(*out, text, 0o644)
	}
	s, err := readSource(*sdkPath)
	if err != nil {
		return fmt.Errorf("read the SDK's source: %w", err)
	}
	text, err := render(*packageName, merge(m, s), m.refusals())
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return os.WriteFile(*out, text, 0o644)
}
