package awsapi_test

import (
	"context"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// expires is a middleware of the SDK that gives a presigned URL an expiry in seconds.
func expires(seconds string) middleware.BuildMiddleware {
	return middleware.BuildMiddlewareFunc("expires", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			query := r.URL.Query()
			query.Set("X-Amz-Expires", seconds)
			r.URL.RawQuery = query.Encode()
		}
		return next.HandleBuild(ctx, in)
	})
}
