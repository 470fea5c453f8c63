package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tripod/internal/datadir"
)

// TokenRequest is what a token is made of.
type TokenRequest struct {
	AccessKeyID, SecretAccessKey, SessionToken string

	Region   string
	Endpoint string // of STS, such as http://127.0.0.1:4566
	Cluster  string // the cluster's name
	Now      time.Time
	// ExecInfo is KUBERNETES_EXEC_INFO, in which the asking client names its version of the API; may be empty.
	ExecInfo string
}

func (a *app) tokenCommand() *cobra.Command {
	cluster := ""
	cmd := &cobra.Command{
		Use:   "token --cluster NAME",
		Short: "Print a token for a cluster, as an exec credential for kubeconfigs",
		Long: "Print a token for a cluster, as an exec credential for kubeconfigs.\n\n" +
			"It is signed with the credentials of the environment when its AWS_ENDPOINT_URL is this region's, else with the " +
			"region's own.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cluster == "" {
				return usage(cmd, "name the cluster with --cluster")
			}
			credential, err := a.credential(cmd.Context(), cluster, a.getenv("KUBERNETES_EXEC_INFO"))
			if err != nil {
				return err
			}
			_, err = a.Stdout.Write(credential)
			return err
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster's name (needed)")
	return cmd
}

// credential is a token for a cluster, as the JSON of an ExecCredential.
func (a *app) credential(ctx context.Context, cluster, execInfo string) ([]byte, error) {
	if a.programs.Token == nil {
		return nil, missing("token")
	}
	marker, err := datadir.ReadMarker(a.dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no region in %s yet: make one with '%s'", a.dataDir, a.command("up"))
	}
	if err != nil {
		return nil, err
	}
	request := TokenRequest{Region: marker.Region, Endpoint: marker.Endpoint(), Cluster: cluster, Now: time.Now(),
		ExecInfo: execInfo}
	if id := a.getenv("AWS_ACCESS_KEY_ID"); id != "" && leadsTo(a.getenv("AWS_ENDPOINT_URL"), marker.Port) {
		request.AccessKeyID, request.SecretAccessKey = id, a.getenv("AWS_SECRET_ACCESS_KEY")
		request.SessionToken = a.getenv("AWS_SESSION_TOKEN")
	} else {
		// Real AWS credentials of the environment must not end in a token of a test cluster.
		credentials, err := datadir.ReadCredentials(a.dataDir)
		if err != nil {
			return nil, fmt.Errorf("cannot read the region's credentials: %w", err)
		}
		request.AccessKeyID, request.SecretAccessKey = credentials.AccessKeyID, credentials.SecretAccessKey
	}
	credential, err := a.programs.Token(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("no token for cluster %s: %w", cluster, err)
	}
	return credential, nil
}

// leadsTo says whether an endpoint's URL is the port on this machine.
func leadsTo(endpoint string, port int) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Port() != strconv.Itoa(port) {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
