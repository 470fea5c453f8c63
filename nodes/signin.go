package nodes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// tokenLife is how long a token is used: kubelets have theirs made anew every 14 minutes.
const tokenLife = 14 * time.Minute

// nodeName is the context's key of the node that a request is of.
type nodeName struct{}

// as makes requests the node's: its kubelet's.
func as(ctx context.Context, node string) context.Context {
	return context.WithValue(ctx, nodeName{}, node)
}

// signIn gives each request the token of the node that it is of. So a zone's kubelets share a client and its
// connections, and each is nobody but itself.
type signIn struct {
	next   http.RoundTripper
	tokens *nodeTokens
}

var errSignIn = errors.New("cannot sign in")

// nodeTokens are the tokens of a zone's nodes, made when they are needed.
type nodeTokens struct {
	make  func(ctx context.Context, instanceID string) (string, error)
	nodes *roster

	mu   sync.Mutex
	made map[string]nodeToken // by the node's name; a machine that is gone leaves its last one behind
}

type nodeToken struct {
	instanceID string // whose it is: a name may be another machine's later
	text       string
	at         time.Time
}

func newNodeTokens(nodes *roster, make func(context.Context, string) (string, error)) *nodeTokens {
	return &nodeTokens{make: make, nodes: nodes, made: map[string]nodeToken{}}
}

func (s *signIn) RoundTrip(req *http.Request) (*http.Response, error) {
	name, _ := req.Context().Value(nodeName{}).(string)
	token, err := s.tokens.of(req.Context(), name)
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as a RoundTripper has to
		}
		return nil, fmt.Errorf("node %s %w: %w", name, errSignIn, err)
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.next.RoundTrip(req)
	if asked := s.tokens.nodes.asked; asked != nil {
		status := 0
		if err == nil {
			status = resp.StatusCode
		}
		asked(name, req.Method, status)
	}
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		s.tokens.forget(name)
	}
	return resp, err
}

// of is the node's token. Two requests at once may both have one made.
func (t *nodeTokens) of(ctx context.Context, name string) (string, error) {
	n, found := t.nodes.named(name)
	if !found {
		return "", errors.New("there is no such node")
	}
	t.mu.Lock()
	token := t.made[name]
	t.mu.Unlock()
	if token.instanceID == n.instanceID && time.Since(token.at) < tokenLife {
		return token.text, nil
	}
	at := time.Now()
	text, err := t.make(ctx, n.instanceID)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made[name] = nodeToken{n.instanceID, text, at}
	return text, nil
}

func (t *nodeTokens) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.made, name)
}
