package awsapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// expires is a middleware of the SDK that gives a presigned URL an expiry in seconds.
func expires(seconds string) middleware.BuildMiddleware {
	return middleware.BuildMiddlewareFunc("expires",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput,
			middleware.Metadata, error) {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				query := r.URL.Query()
				query.Set("X-Amz-Expires", seconds)
				r.URL.RawQuery = query.Encode()
			}
			return next.HandleBuild(ctx, in)
		})
}

// signBody signs a request with a body at the time created; one that the signer refuses stays unsigned.
func signBody(r *http.Request, body string, c aws.Credentials, service string) {
	sum := sha256.Sum256([]byte(body))
	v4.NewSigner().SignHTTP(context.Background(), c, r, hex.EncodeToString(sum[:]), service, "us-east-1", created)
}
