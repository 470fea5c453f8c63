// Command operations writes docs/operations.md: what Tripod does of each operation of each AWS service, as the
// services' packages declare it.
package main

import (
	"bytes"
	"fmt"
	"os"

	"tripod/awsapi"
	"tripod/awsapi/operation"
)

//go:generate go run . ../../docs/operations.md

// services are the document's sections.
var services = awsapi.Backend{}.Services()

const head = `# Operations

Generated from the code by ` + "`go generate ./internal/operations`" + `: change the declarations beside the actions, not this file.

- **works**: it does here what it does in AWS, as far as its effect says.
- **recorded**: what is asked is checked, kept and shown again (describe, list, update, delete, tags), and nothing beside that changes.
- **refused**: the call is answered with an error that names the operation.

Every call, whatever its state, is signed, authorized and validated as AWS does it: unknown members are ignored, and what breaks the model's constraints gets the
operation's own exception. What the services other than EKS have beyond these tables is refused as "Tripod does not have it yet".
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: operations FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], document(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "operations:", err)
		os.Exit(1)
	}
}

func document() []byte {
	var b bytes.Buffer
	b.WriteString(head)
	for _, service := range services {
		count := map[operation.State]int{}
		for _, one := range service.Documented {
			count[one.State]++
		}
		fmt.Fprintf(&b, "\n## %s\n\n%d operations: %d work, %d are recorded, %d are refused.\n\n", service.Title,
			len(service.Documented),
			count[operation.Works], count[operation.Recorded], count[operation.Refused])
		b.WriteString("| operation | state | effect |\n|---|---|---|\n")
		for _, one := range service.Documented {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", one.Operation, one.State, one.Effect)
		}
	}
	return b.Bytes()
}
