package podexec

import (
	"context"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/internal/pki"
	"tripod/internal/sleep"
)

const (
	renewalPause  = 5 * time.Second
	shortestToken = 10 * time.Minute // that an API server gives
)

// tokenFile is a file with a token that is bound to the pod.
type tokenFile struct {
	file string // in the pod's directory
	want corev1.ServiceAccountTokenProjection
	life time.Duration // of the token in it, from when it was written
}

// writeToken makes the file; renewTokens keeps it fresh.
func (p *pod) writeToken(ctx context.Context, file string, want corev1.ServiceAccountTokenProjection) error {
	t := &tokenFile{file: file, want: want}
	if err := again(ctx, func() error { return p.renew(ctx, t) }); err != nil {
		return err
	}
	p.tokens = append(p.tokens, t)
	return nil
}

// renewTokens renews the tokens until ctx ends.
func (p *pod) renewTokens(ctx context.Context) {
	for _, t := range p.tokens {
		p.wait.Go(func() {
			for {
				if sleep.For(ctx, max(t.life*8/10, renewalPause)) != nil { // as the kubelet does
					return
				}
				if err := p.renew(ctx, t); err != nil {
					t.life = 0 // soon again; the old token is good for a while
				}
			}
		})
	}
}

func (p *pod) renew(ctx context.Context, t *tokenFile) error {
	account := p.object.Spec.ServiceAccountName
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: t.want.ExpirationSeconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.object.Name,
			UID: p.object.UID},
	}}
	if t.want.Audience != "" {
		request.Spec.Audiences = []string{t.want.Audience}
	}
	if seconds := t.want.ExpirationSeconds; seconds == nil || time.Duration(*seconds)*time.Second < shortestToken {
		request.Spec.ExpirationSeconds = new(int64)
		*request.Spec.ExpirationSeconds = 3600
	}
	made, err := p.client.CoreV1().ServiceAccounts(p.object.Namespace).CreateToken(ctx, account, request,
		metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("token of service account %s: %w", account, err)
	}
	t.life = time.Until(made.Status.ExpirationTimestamp.Time)
	return pki.Write(t.file, []byte(made.Status.Token))
}
