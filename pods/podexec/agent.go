package podexec

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/eksauth"
	"tripod/internal/sdkclient"
)

const (
	credentialsPath = "/v1/credentials"
	agentTimeout    = 10 * time.Second
	maxAnswer       = 1 << 20
)

// agent answers as the EKS Pod Identity agent on a node does: whoever brings a pod's token gets credentials from EKS
// Auth.
type agent struct {
	url    string // of the credentials
	server *http.Server
	calls  *url.URL // of EKS Auth's operation
	region string
	keys   aws.Credentials
}

// startAgent listens on a free port of loopback.
func startAgent(o Options, cluster string) (*agent, error) {
	calls, err := url.Parse(o.Endpoint + strings.ReplaceAll(eksauth.Path, "{clusterName}", url.PathEscape(cluster)))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &agent{
		url: "http://" + listener.Addr().String() + credentialsPath, calls: calls, region: o.Region,
		keys: aws.Credentials{AccessKeyID: o.AccessKeyID, SecretAccessKey: o.SecretAccessKey},
	}
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10}
	go a.server.Serve(listener) // ends with stop
	return a, nil
}

func (a *agent) stop() { a.server.Close() }

// ServeHTTP answers with credentials as SDKs' container provider reads them, or with a sentence.
func (a *agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	switch host, err := netip.ParseAddrPort(r.Host); {
	case err != nil || !host.Addr().IsLoopback(): // a web page that had its name lead here
		http.Error(w, "the agent is asked by its address alone", http.StatusMisdirectedRequest)
		return
	case r.URL.Path != credentialsPath || r.Method != http.MethodGet:
		http.NotFound(w, r)
		return
	case token == "":
		http.Error(w, "Service account token cannot be empty", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), agentTimeout)
	defer cancel()
	var (
		status int
		body   []byte
	)
	err := again(ctx, func() (err error) {
		if status, body, err = a.exchange(ctx, token); err == nil && status >= 500 {
			err = fmt.Errorf("EKS Auth answers %d", status)
		}
		return err
	})
	if err != nil {
		http.Error(w, "unable to fetch credentials from EKS Auth: "+err.Error(), http.StatusInternalServerError)
		return
	}
	if status != http.StatusOK {
		http.Error(w, string(body), status)
		return
	}
	var answer eksauth.Answer
	if err := json.Unmarshal(body, &answer); err != nil {
		http.Error(w, "EKS Auth's answer cannot be read", http.StatusInternalServerError)
		return
	}
	fields := strings.SplitN(answer.AssumedRole.ARN, ":", 6)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{
		"AccessKeyId": answer.Credentials.AccessKeyID, "SecretAccessKey": answer.Credentials.SecretAccessKey,
		"Token":     answer.Credentials.SessionToken,
		"AccountId": fields[min(4, len(fields)-1)], "Expiration": time.Unix(answer.Credentials.Expiration,
			0).UTC().Format(time.RFC3339),
	})
}

// exchange asks EKS Auth, signed as a node's agent signs.
func (a *agent) exchange(ctx context.Context, token string) (status int, body []byte, err error) {
	text, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.calls.String(), bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if err := sdkclient.Sign(ctx, request, text, a.keys, eksauth.Name, a.region, time.Now()); err != nil {
		return 0, nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy: it is on loopback
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, body, err
}
