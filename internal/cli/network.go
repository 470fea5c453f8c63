package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/internal/process"
	"tripod/internal/proxy"
)

func (a *app) canReachCommand() *cobra.Command {
	cluster, output := "", "text"
	cmd := &cobra.Command{
		Use:   "can-reach FROM TO:PORT",
		Short: "Say whether a connection passes in a cluster's network, and by which rules",
		Long: "Say whether a connection passes in a cluster's network: each security group, network ACL, route table and NetworkPolicy that " +
			"it meets, with the rule that decides, in the order of a packet. What can be tried is tried.\n\n" +
			"FROM is pod/NAMESPACE/NAME, node/NAME, lb/NAME (a load balancer, to its targets), control-plane, internet, or an address. TO is " +
			"pod/NAMESPACE/NAME,\nnode/NAME, svc/NAMESPACE/NAME, lb/NAME, a name of the cluster's DNS, or an address. The exit code is 0 for " +
			"yes, 1 for no, and 2 where\nnothing could be decided.",
		Example: "  tripod can-reach pod/web/shop-0 svc/web/db:5432\n  tripod can-reach internet lb/web:80\n" +
			"  tripod can-reach lb/web pod/web/shop-0:8080\n  tripod can-reach control-plane node/ip-10-0-12-7.ec2.internal:10250",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage(cmd, "'%s' takes who connects and where, such as: pod/web/shop-0 svc/web/db:5432", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			question, err := reachQuestion(args[0], args[1])
			if err != nil {
				return usage(cmd, "%v", err)
			}
			if err := checkFormat(cmd, output); err != nil {
				return err
			}
			name, err := a.theCluster(cmd, cluster)
			if err != nil {
				return err
			}
			reach, err := a.client().CanReach(cmd.Context(), name, question)
			if err != nil {
				return &exitError{code: undecided, sentence: err.Error()}
			}
			return a.printAccess(output, reach, reachLines(reach), reach.Reaches)
		},
	}
	accessFlags(cmd, &cluster, &output)
	return cmd
}

// reachQuestion reads FROM and TO:PORT.
func reachQuestion(from, to string) (q api.ReachQuestion, err error) {
	host, portText, err := net.SplitHostPort(to)
	port, numberErr := strconv.Atoi(portText)
	if err != nil || numberErr != nil || port < 1 || port > 65535 || host == "" {
		return q, fmt.Errorf("%q does not name a port: write TO:PORT, such as svc/web/db:5432", to)
	}
	if from == "control-plane" {
		from = ""
	}
	return api.ReachQuestion{From: from, To: host, Port: port}, nil
}

func reachLines(r *api.Reach) (lines []string) {
	verdict := "no"
	if r.Reaches {
		verdict = "yes"
	}
	lines = append(lines, verdict)
	for _, leg := range r.Legs {
		lines = append(lines, fmt.Sprintf("%s -> %s", clean(leg.From), clean(leg.To)))
		for _, s := range leg.Steps {
			mark := "passes"
			if !s.Passes {
				mark = "STOPS "
			}
			line := "  " + mark + "  " + clean(s.Sentence)
			if s.Code != "" {
				line += " [" + s.Code + "]"
			}
			lines = append(lines, line)
		}
		if len(leg.Steps) == 0 {
			lines = append(lines, "  passes  both ends are on one machine, where no rule is met")
		}
		if leg.Tried != "" {
			lines = append(lines, "  tried   "+clean(leg.Tried))
		}
	}
	return lines
}

func (a *app) proxyCommand() *cobra.Command {
	cluster, as, port, open := "", "", 0, false
	cmd := &cobra.Command{
		Use:   "proxy [-- COMMAND [ARG...]]",
		Short: "Stand in a cluster's network: an HTTP and SOCKS5 proxy to its Services, pods and nodes",
		Long: "Stand in a cluster's network: an HTTP and SOCKS5 proxy on 127.0.0.1 that leads to the cluster's Services, pods and nodes, by " +
			"their addresses\nand by the names that the cluster's DNS has. It prints the environment that programs need, and serves until " +
			"Ctrl-C. With a COMMAND it runs that\nin this environment and ends with it.\n\n" +
			"Connections come from where the control plane is, or by --as from a pod's or a node's place, and meet the security groups, " +
			"network ACLs and\nNetworkPolicies that those meet: 'tripod can-reach' explains them. Names of Services are " +
			"NAME.NAMESPACE[.svc[.cluster.local]].",
		Example: "  tripod proxy -- curl http://web.default\n  tripod proxy --as pod/web/shop-0 -- curl http://db:8080\n" +
			"  tripod proxy --port 1080",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := a.theCluster(cmd, cluster)
			if err != nil {
				return err
			}
			p := &proxy.Proxy{Dial: func(ctx context.Context, host string, port int) (net.Conn, error) {
				return a.client().Connect(ctx, name, api.Connection{As: as, Host: host, Port: port})
			}}
			if !open {
				p.Password = rand.Text()
			}
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				return fmt.Errorf("cannot open port %d for the proxy: %w", port, err)
			}
			return a.serveProxy(cmd.Context(), p, l, args)
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster, where there are several")
	cmd.Flags().StringVar(&as, "as", "", "whose place to take: pod/NAMESPACE/NAME or node/NAME")
	cmd.Flags().IntVar(&port, "port", 0, "the port on 127.0.0.1; 0: a free one")
	cmd.Flags().BoolVar(&open, "no-password", false, "let every user of this machine in, as browsers cannot give a SOCKS password")
	return cmd
}

func (a *app) serveProxy(ctx context.Context, p *proxy.Proxy, l net.Listener, command []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, l) }()
	variables := proxyVariables(l.Addr().String(), p.Password)
	if len(command) == 0 {
		for _, v := range variables {
			fmt.Fprintf(a.Stdout, "export %s=%s\n", v[0], shellQuote(v[1]))
		}
		return <-served
	}
	run := exec.Command(command[0], command[1:]...)
	run.Stdin, run.Stdout, run.Stderr, run.Env = a.Stdin, a.Stdout, a.Stderr, os.Environ()
	for _, v := range variables {
		run.Env = append(run.Env, v[0]+"="+v[1])
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, process.PassedOn...)
	defer signal.Stop(signals)
	if err := run.Start(); err != nil {
		return err
	}
	code, err := process.Attend(run, a.Stdin, signals)
	if err == nil && code != 0 {
		err = &exitError{code: code}
	}
	return err
}

// proxyVariables are what programs look at, in capital letters or small ones.
func proxyVariables(address, password string) (all [][2]string) {
	user := ""
	if password != "" {
		user = proxy.User + ":" + password + "@"
	}
	for _, v := range [][2]string{{"HTTP_PROXY", "http://" + user + address}, {"HTTPS_PROXY", "http://" + user + address},
		{"ALL_PROXY", "socks5h://" + user + address}, {"NO_PROXY", "127.0.0.1,localhost,.localhost"}} {
		all = append(all, v, [2]string{strings.ToLower(v[0]), v[1]})
	}
	return all
}
