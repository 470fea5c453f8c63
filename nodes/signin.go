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

// signIn gives each request the token of the node that it is of. So a zone's kubelets share a client and its connections, and each is nobody but itself.
type signIn struct {
	next  http.RoundTripper
	token func(ctx context.Context, instanceID string) (string, error)
	nodes map[string]node

	mu     sync.Mutex
	tokens map[string]nodeToken // by the node's name
}

var errSignIn = errors.New("cannot sign in")

type nodeToken struct {
	text string
	made time.Time
}

func (s *signIn) RoundTrip(req *http.Request) (*http.Response, error) {
	name, _ := req.Context().Value(nodeName{}).(string)
	token, err := s.of(req.Context(), name)
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as a RoundTripper has to
		}
		return nil, fmt.Errorf("node %s %w: %w", name, errSignIn, err)
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		s.forget(name)
	}
	return resp, err
}

// of is the node's token. Two requests at once may both have one made.
func (s *signIn) of(ctx context.Context, name string) (string, error) {
	s.mu.Lock()
	token := s.tokens[name]
	s.mu.Unlock()
	if token.text != "" && time.Since(token.made) < tokenLife {
		return token.text, nil
	}
	n, found := s.nodes[name]
	if !found {
		return "", errors.New("there is no such node")
	}
	made := time.Now()
	text, err := s.token(ctx, n.instanceID)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[name] = nodeToken{text, made}
	return text, nil
}

func (s *signIn) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, name)
}
