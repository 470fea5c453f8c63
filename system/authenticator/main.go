// Command authenticator prints the token that aws-iam-authenticator's client makes for the cluster it is given, with
// the credentials and the region of the environment. It is a module of its own, and not the program
// `aws-iam-authenticator token`, since that links the server too: its build takes four times as long.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run does what the program's command `token -i CLUSTER` does.
func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: authenticator CLUSTER")
	}
	generator, err := token.NewGenerator(false, false)
	if err != nil {
		return err
	}
	made, err := generator.GetWithOptions(&token.GetTokenOptions{ClusterID: args[0]})
	if err != nil {
		return err
	}
	_, err = fmt.Println(generator.FormatJSON(made))
	return err
}
