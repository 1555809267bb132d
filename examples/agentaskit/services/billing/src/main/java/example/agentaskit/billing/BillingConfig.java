package example.agentaskit.billing;

import java.util.Map;

/** Settings of the billing service, from the environment. A missing one is an error at start. */
public record BillingConfig(String databaseUrl, String storageConnection, String mailToken) {

    static final String PASSWORD_PROPERTY = "spring.datasource.password";
    static final String TOKEN_HEADER = "X-Agentaskit-Token";

    public static BillingConfig from(Map<String, String> environment) {
        return new BillingConfig(
                require(environment, "DATABASE_URL"),
                require(environment, "AZURE_STORAGE_CONNECTION_STRING"),
                require(environment, "SENDGRID_API_KEY"));
    }

    private static String require(Map<String, String> environment, String name) {
        String value = environment.get(name);
        if (value == null || value.isBlank()) {
            throw new IllegalStateException(name + " is not set: see .env.example");
        }
        return value;
    }

    @Override
    public String toString() {
        return "BillingConfig[secrets hidden]";
    }
}
