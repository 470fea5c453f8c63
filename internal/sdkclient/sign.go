package sdkclient

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// summed are the services that want the sum of a body in a header: S3, and the two of OpenSearch.
var summed = []string{"s3", "es", "aoss"}

// Sign signs a request with its body, by Signature Version 4. S3's paths are signed as they are.
func Sign(ctx context.Context, request *http.Request, body []byte, by aws.Credentials, service, region string, at time.Time) error {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if slices.Contains(summed, service) {
		request.Header.Set("X-Amz-Content-Sha256", hash)
	}
	return v4.NewSigner().SignHTTP(ctx, by, request, hash, service, region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
}
