package system

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// logIn lets the first cluster take the users of an OIDC issuer, which is a second cluster's: they enter with tokens
// that are for the first one, and for as long as it is associated.
func (r *testRegion) logIn(t *testing.T, api *eks.Client, first, second *ekstypes.Cluster,
	issuer *kubernetes.Clientset) {
	t.Helper()
	ctx := within(t, time.Minute)
	token := func(audience string) string {
		made, err := issuer.CoreV1().ServiceAccounts("default").CreateToken(ctx, "default",
			&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}},
			metav1.CreateOptions{})
		must(t, "make a token", err)
		return made.Status.Token
	}
	config := rest.AnonymousClientConfig(r.configOf(t, aws.ToString(first.Arn)))
	login := func(what, token string, ends func(name string, err error) bool) {
		t.Helper()
		as := rest.CopyConfig(config)
		as.BearerToken = token
		client := mustClient(t, as)
		eventually(t, 15*time.Second, what, func() (bool, string) {
			review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{},
				metav1.CreateOptions{})
			return ends(review.Status.UserInfo.Username, err), fmt.Sprint(review.Status.UserInfo.Username, err)
		})
	}
	refused := func(_ string, err error) bool { return apierrors.IsUnauthorized(err) }
	user, other := token("first"), token("other")
	login("a token of an issuer that is not associated", user, refused)
	_, err := api.AssociateIdentityProviderConfig(ctx,
		&eks.AssociateIdentityProviderConfigInput{ClusterName: first.Name, Oidc: &ekstypes.OidcIdentityProviderConfigRequest{
			IdentityProviderConfigName: aws.String("second"), IssuerUrl: second.Identity.Oidc.Issuer,
			ClientId: aws.String("first"), UsernamePrefix: aws.String("second:")}})
	must(t, "associate an identity provider", err)
	login("a token of the issuer", user,
		func(name string, _ error) bool { return name == "second:system:serviceaccount:default:default" })
	login("a token of the issuer for another audience", other, refused)
	_, err = api.DisassociateIdentityProviderConfig(ctx,
		&eks.DisassociateIdentityProviderConfigInput{ClusterName: first.Name,
			IdentityProviderConfig: &ekstypes.IdentityProviderConfig{Type: aws.String("oidc"), Name: aws.String("second")}})
	must(t, "disassociate the identity provider", err)
	login("a token of the issuer after its time", user, refused)
}
